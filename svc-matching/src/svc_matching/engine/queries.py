"""The questions that one demand asks: by its own words, in English, and by concepts alone.

Each is compared with what the demand's own text would score, so that a supply in another language
is not small beside one that shares the very words.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine.lexicon import BROADER_KIND, CONCEPT_KIND, UNIT_KIND, WORD, Lexicon
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.translations import alternatives
from svc_matching.engine.vectors import (
    K3,
    QUERY_UNIT,
    QueryVector,
    TermSets,
    TextVector,
    impacts,
    query,
)
from svc_matching.engine.views import UNIT as FREQUENCY_UNIT

EXTRA_QUERIES = 2
MAX_SETS = 256
SILENT_SHARE = 0.25
"""What the words that no concept covers count in a comparison by concepts alone: another language
cannot share them, and cannot be taken to."""
_BY_CONCEPT = (CONCEPT_KIND, BROADER_KIND)
ACROSS = {WORD: 1.0, CONCEPT_KIND: 0.6, BROADER_KIND: 0.12}
"""What terms count that stand in both languages as they are, beside a translated word."""


def queries_of(
    vectors: Sequence[TextVector], lexicon: Lexicon, frozen: Frozen
) -> tuple[QueryVector, ...]:
    """Return a query for each language of a demand's text, and what reaches the other languages.

    `lexicon` numbers the terms of `vectors`; it need not be the one of the statistics.
    """
    if not vectors:
        return ()
    rarities = _rarities(lexicon, frozen)
    found = [
        query(vector, _average(vector, frozen), rarities, lexicon.kinds(vector.ids))
        for vector in vectors
    ]
    original, spoken = vectors[0], {vector.language for vector in vectors}
    by_concept = _by_concept(original, found[0], lexicon, frozenset(LANGUAGES) - spoken)
    if original.language == "vi" and "en" not in spoken:
        found += _translated(original, lexicon, frozen, rarities)
    return (*found, *by_concept)


def _average(vector: TextVector, frozen: Frozen) -> float:
    return frozen.statistics.average_length(vector.language)


def _rarities(lexicon: Lexicon, frozen: Frozen) -> NDArray[np.float64]:
    if lexicon is frozen.lexicon:
        return frozen.rarities
    return frozen.rarities_of(lexicon.terms())


def _by_concept(
    vector: TextVector, plain: QueryVector, lexicon: Lexicon, audience: frozenset[str]
) -> tuple[QueryVector, ...]:
    """Ask those whose language the demand does not speak by what both vocabularies name."""
    kinds = lexicon.kinds(plain.ids)
    shared = np.isin(kinds, _BY_CONCEPT)
    if not shared.any() or not audience:
        return ()
    # As a text of average length: how long texts are differs from language to language.
    own = impacts(vector, float(max(1, vector.length)))[np.searchsorted(vector.ids, plain.ids)]
    parts = plain.weights.astype(np.int64) * own
    known, silent = int(parts[shared].sum()), int(parts[~shared].sum())
    score = known + round(SILENT_SHARE * silent)
    # Codes and names in Latin letters stand in every language as they are.
    asked = shared | (kinds == WORD)
    return (QueryVector(plain.ids[asked], plain.weights[asked], max(1, score), None, audience),)


def _translated(
    vector: TextVector, lexicon: Lexicon, frozen: Frozen, rarities: NDArray[np.float64]
) -> tuple[QueryVector, ...]:
    """Ask in English: each word by the set of its translations, concepts and codes as they are."""
    kinds = lexicon.kinds(vector.ids)
    frequency = vector.frequencies / FREQUENCY_UNIT
    repeated = (K3 + 1) * frequency / (frequency + K3)
    own = impacts(vector, _average(vector, frozen))
    sets: list[tuple[float, int, list[tuple[int, float]]]] = []
    for place in np.flatnonzero(np.isin(kinds, (*ACROSS, UNIT_KIND))).tolist():
        number = int(vector.ids[place])
        if kinds[place] == UNIT_KIND:
            words, rarity = _words_of(lexicon.term(number), lexicon, frozen)
        else:
            known = number < len(rarities)
            words = [(number, ACROSS[int(kinds[place])])]
            rarity = float(rarities[number]) if known else 1.0
        if words:
            strongest = max(share for _, share in words)
            weight = QUERY_UNIT / 4 * rarity * float(repeated[place])
            weighed = [(each, weight * share) for each, share in words]
            sets.append((weight * strongest * int(own[place]), number, weighed))
    if not (kinds == UNIT_KIND).any():
        return ()
    sets.sort(key=lambda each: (-each[0], each[1]))
    return (_by_sets(sets[:MAX_SETS]),)


def _words_of(unit: str, lexicon: Lexicon, frozen: Frozen) -> tuple[list[tuple[int, float]], float]:
    """Return a unit's translations by id, and how rare they are together."""
    found = alternatives(unit)
    if not found:
        return [], 1.0
    ids = lexicon.intern([stem for stem, _ in found]).tolist()
    shares = (share for _, share in found)
    return list(zip(ids, shares, strict=True)), frozen.rarity_of_set(unit, found)


def _by_sets(sets: Sequence[tuple[float, int, list[tuple[int, float]]]]) -> QueryVector:
    starts = np.zeros(len(sets) + 1, np.int32)
    np.cumsum([len(words) for _, _, words in sets], out=starts[1:])
    ids = np.array([number for _, _, words in sets for number, _ in words], np.int32)
    weights = np.array([weight for _, _, words in sets for _, weight in words])
    whole = np.maximum(np.rint(weights), 1).astype(np.int32)
    unique, where = np.unique(ids, return_inverse=True)
    summed = np.zeros(len(unique), np.int32)
    np.add.at(summed, where, whole)
    score = max(1, round(sum(score for score, _, _ in sets)))
    asked = np.array([number for _, number, _ in sets], np.int32)
    by_sets = TermSets(asked, starts, ids, whole)
    return QueryVector(unique, summed, score, by_sets, frozenset({"en"}))
