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
    WordSet,
)
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.vectors import (
    K3,
    QUERY_UNIT,
    IntArray,
    QueryVector,
    TermSets,
    TextVector,
    impacts,
    query,
)
from svc_matching.engine.views import UNIT as FREQUENCY_UNIT

EXTRA_QUERIES = len(TARGETS) + 1
MAX_SETS = 256
SILENT_SHARE = 0.25
"""What the words that no concept covers count in a comparison by concepts alone: another language
cannot share them, and cannot be taken to."""
UNTRANSLATED_SHARE = 0.5
"""What words count in a comparison with a language that our lexicon has none for: such a supply
may have them, but nobody can see it."""
_BY_CONCEPT = (CONCEPT_KIND, BROADER_KIND)
REACH = {"de": 0.65, "ja": 0.85, "ko": 0.95, "zh": 0.85}
"""What a supply in another language reaches of a demand in Vietnamese, beside one in Vietnamese or
English that is as much about it: compounds and bigrams hide words that the lexicon has. Fitted on
the part `fit` of tests/quality/diagnosis_set, so that one cut serves for every language."""
ACROSS = {WORD: 1.0, CONCEPT_KIND: 0.6, BROADER_KIND: 0.12}
"""What terms count that stand in both languages as they are, beside a translated word."""
_AS_IT_IS = {kind: (np.array([share]), share) for kind, share in ACROSS.items()}
_ASKS_ACROSS = np.isin(np.arange(KINDS), (*ACROSS, UNIT_KIND))


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
            translated = _translated(original, language, lexicon, frozen, rarities)
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
    vector: TextVector,
    language: str,
    lexicon: Lexicon,
    frozen: Frozen,
    rarities: NDArray[np.float64],
) -> QueryVector | None:
    """Ask in another language: each word by the set of its translations.

    Concepts and codes are asked as they are.
    """
    kinds = lexicon.kinds(vector.ids)
    sets: list[WordSet] = []
    rare: list[float] = []
    asked: list[int] = []
    silent: list[int] = []
    for place in np.flatnonzero(_ASKS_ACROSS[kinds]).tolist():
        number = int(vector.ids[place])
        if kinds[place] != UNIT_KIND:
            words: WordSet | None = WordSet(vector.ids[place : place + 1], *_AS_IT_IS[kinds[place]])
            rarity = rarities[number] if number < len(rarities) else 1.0
        elif (words := lexicon.word_set(number, language)) is not None:
            rarity = frozen.rarity_of_unit(lexicon.term(number), language)
        if words is None:
            silent.append(place)
            continue
        sets.append(words)
        rare.append(rarity)
        asked.append(place)
    if not sets:
        return None
    frequency = vector.frequencies / FREQUENCY_UNIT
    repeated = QUERY_UNIT / 4 * (K3 + 1) * frequency / (frequency + K3)
    own = impacts(vector, _average(vector, frozen))
    weights = np.array(rare) * repeated[asked]
    scores = weights * np.array([words.strongest for words in sets]) * own[asked]
    missing = np.mean(rare) * (repeated[silent] * own[silent]).sum()
    first = np.lexsort((asked, -scores))[:MAX_SETS]
    score = REACH.get(language, 1.0) * (scores[first].sum() + UNTRANSLATED_SHARE * missing)
    places = np.array(asked)[first]
    return _by_sets(
        vector.ids[places], [sets[n] for n in first], weights[first], float(score), language
    )


def _by_sets(
    asked: IntArray,
    sets: Sequence[WordSet],
    weights: NDArray[np.float64],
    score: float,
    language: str,
) -> QueryVector:
    sizes = [len(words.ids) for words in sets]
    starts = np.zeros(len(sets) + 1, np.int32)
    np.cumsum(sizes, out=starts[1:])
    ids = np.concatenate([words.ids for words in sets])
    shares = np.concatenate([words.shares for words in sets])
    whole = np.maximum(np.rint(np.repeat(weights, sizes) * shares), 1).astype(np.int32)
    order = np.argsort(ids, kind="stable")
    distinct, first = np.unique(ids[order], return_index=True)
    summed = np.add.reduceat(whole[order], first, dtype=np.int32)
    by_sets = TermSets(asked, starts, ids, whole)
    return QueryVector(distinct, summed, max(1, round(score)), by_sets, frozenset({language}))
