"""The questions that one demand asks: by its own words, translated, and by concepts alone.

Each is compared with what the demand's own text would score, so that a supply in another language
is not small beside one that shares the very words.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from svc_matching.domain.vocabularies import LANGUAGES, TARGETS
from svc_matching.engine.lexicon import (
    BROADER_KIND,
    CONCEPT_KIND,
    KINDS,
    UNIT_KIND,
    WORD,
    Lexicon,
)
from svc_matching.engine.statistics import Frozen
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
from svc_matching.engine.word_sets import ASKS_ACROSS

EXTRA_QUERIES = len(TARGETS) + 1
MAX_SETS = 256
SILENT_SHARE = 0.25
"""What the words that no concept covers count in a comparison by concepts alone: another language
cannot share them, and cannot be taken to."""
UNTRANSLATED_SHARE = 0.5
"""What words count in a comparison with a language that our lexicon has none for: such a supply
may have them, but nobody can see it."""
_BY_CONCEPT = np.isin(np.arange(KINDS), (CONCEPT_KIND, BROADER_KIND))


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
    plain, others = found[0], frozenset(LANGUAGES) - spoken
    if original.language == "vi" and UNIT_KIND in lexicon.kinds(original.ids):
        for language in _offered(frozen, others):
            translated = _translated(original, language, lexicon, frozen)
            if translated is not None:
                found.append(translated)
                others -= {language}
    return (*found, *_by_concept(original, plain, lexicon, others))


def _offered(frozen: Frozen, among: frozenset[str]) -> list[str]:
    """Return the languages that supplies are written in, all when there were none."""
    known = frozen.statistics.lengths.keys() or among
    return [language for language in TARGETS if language in known and language in among]


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
    shared = _BY_CONCEPT[kinds]
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
    vector: TextVector, language: str, lexicon: Lexicon, frozen: Frozen
) -> QueryVector | None:
    """Ask in another language: each word by the set of its translations.

    Concepts and codes are asked as they are.
    """
    places = np.flatnonzero(ASKS_ACROSS[lexicon.kinds(vector.ids)])
    known, sets = frozen.word_sets(language, lexicon).find(vector.ids[places])
    if not known.any():
        return None
    frequency = vector.frequencies[places] / FREQUENCY_UNIT
    repeated = QUERY_UNIT / 4 * (K3 + 1) * frequency / (frequency + K3)
    own = impacts(vector, _average(vector, frozen))[places]
    weights = sets.rarities * repeated[known]
    scores = weights * sets.strongest * own[known]
    missing = sets.rarities.mean() * (repeated[~known] * own[~known]).sum()
    counts = np.maximum(np.rint(np.repeat(weights, sets.lengths) * sets.shares), 1)
    by_sets, ids = TermSets(sets.lengths, vector.ids[places[known]]), sets.ids
    if len(scores) > MAX_SETS:
        chosen = np.zeros(len(scores), np.bool_)
        chosen[np.argsort(-scores, kind="stable")[:MAX_SETS]] = True
        of_chosen = np.repeat(chosen, sets.lengths)
        scores, ids, counts = scores[chosen], ids[of_chosen], counts[of_chosen]
        by_sets = TermSets(by_sets.lengths[chosen], by_sets.asked[chosen])
    score = max(1, round(float(scores.sum() + UNTRANSLATED_SHARE * missing)))
    return QueryVector(ids, counts.astype(np.int32), score, by_sets, frozenset({language}))
