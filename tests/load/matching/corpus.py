"""Made-up supplies and demands in six languages, as many as wanted, the same ones every time.

A document is a bag of units: labels of the vocabulary and words of the lexicon, and beside them
words that mean nothing, in a Zipfian distribution with topics. Each unit is read once by the real
analyser, so a million documents have real terms and concepts though no text of them is read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine.analysers import analyse
from svc_matching.engine.facts import DemandFacts, SupplyFacts, demand_facts, supply_facts
from svc_matching.engine.tagging import CONCEPT, broader_terms, concepts_in
from svc_matching.engine.translations import units_in
from svc_matching.engine.views import DESCRIPTION, View
from svc_matching.engine.vocabulary import LANGUAGES, load_vocabulary

SEED = 20261122
SHARES = {"vi": 0.45, "en": 0.30, "ko": 0.08, "ja": 0.07, "zh": 0.06, "de": 0.04}
UNITS = {"vi": (6, 32), "en": (14, 76), "ko": (15, 75), "ja": (12, 50), "zh": (15, 65)}
"""How many units a supply has, so that it has 50 to 300 terms: a summary and a description."""
_OTHERS = (20, 110)
DEMAND_UNITS = {"vi": 80, "en": 120}
"""A text of 200 words."""
TOPICS, TOPIC_UNITS = 400, 60
TOPICAL = 0.4
GENERAL = 24_000
"""Words of no topic in each language."""
ZIPF = 1.05
CHUNK = 1000
PROFILES = 500
_SYLLABLES = (
    "ba be bi bo bu da de di do ka ke ki lo lu ma me mo na ne ra re ro sa se ta te to va ve"
)
_LETTERS = {"ko": (0xAC00, 11_172), "ja": (0x4E00, 6_000), "zh": (0x4E00, 6_000)}

Matrix = sparse.csr_array


@dataclass(frozen=True, slots=True)
class Documents:
    """Some documents: the terms of document `n` are from `starts[n]` on, in rising order."""

    languages: NDArray[np.int64]
    lengths: NDArray[np.int64]
    starts: NDArray[np.int32]
    ids: NDArray[np.int32]
    counts: NDArray[np.int32]

    def terms(self, place: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        part = slice(self.starts[place], self.starts[place + 1])
        return self.ids[part], self.counts[part]


class Corpus:
    """Numbered supplies and demands; number `n` is the same in a corpus of any size."""

    def __init__(self, general: int = GENERAL) -> None:
        chance = np.random.default_rng(SEED)
        units = [
            (language, word) for language in LANGUAGES for word in _words(language, general, chance)
        ]
        self._first = np.searchsorted([LANGUAGES.index(each) for each, _ in units], range(7))
        read = [_read(language, word) for language, word in units]
        names = sorted({term for supplied, asked, _ in read for term in (*supplied, *asked)})
        self.names = np.array(names, object)
        numbers = {name: number for number, name in enumerate(names)}
        self._supplied = _matrix([supplied for supplied, _, _ in read], numbers)
        self._asked = _matrix([asked for _, asked, _ in read], numbers)
        self._lengths = np.array([length for _, _, length in read], np.int64)
        concepts = len(load_vocabulary().concepts)
        self._topics = chance.integers(0, concepts, (TOPICS, TOPIC_UNITS))
        weights = 1.0 / np.arange(1, general + 1) ** ZIPF
        self._zipf = np.cumsum(weights) / weights.sum()
        self._concepts = concepts
        self._facts = {each: _supply_facts(each, chance) for each in LANGUAGES}
        self._wants = {each: _demand_facts(each, chance) for each in DEMAND_UNITS}
        self._chunk = lru_cache(maxsize=64)(self._make)

    def forget(self) -> None:
        """Let go of the documents made last: they are no part of anybody's index."""
        self._chunk.cache_clear()

    def supplies(self, start: int, stop: int) -> Iterator[tuple[UUID, SupplyFacts, tuple[View]]]:
        for number in range(start, stop):
            language = LANGUAGES[self._documents(number).languages[number % CHUNK]]
            facts = self._facts[language][number % PROFILES]
            yield supply_id(number), facts, self.views(number)

    def views(self, number: int) -> tuple[View]:
        return (self._view(self._documents(number), number % CHUNK),)

    def demands(self, start: int, stop: int) -> Iterator[tuple[UUID, DemandFacts, tuple[View]]]:
        for number in range(start, stop):
            made = self._chunk("demands", number // CHUNK)
            language = LANGUAGES[made.languages[number % CHUNK]]
            facts = self._wants[language][number % PROFILES]
            yield demand_id(number), facts, (self._view(made, number % CHUNK),)

    def _documents(self, number: int) -> Documents:
        return self._chunk("supplies", number // CHUNK)

    def _view(self, made: Documents, place: int) -> View:
        ids, counts = made.terms(place)
        frequencies = np.minimum(counts, 65_535).astype(np.uint16)
        language = LANGUAGES[made.languages[place]]
        names = tuple(self.names[ids].tolist())
        return View(language, True, int(made.lengths[place]), names, frequencies)

    def _make(self, kind: str, number: int) -> Documents:
        chance = np.random.default_rng([SEED, kind == "demands", number])
        if kind == "demands":
            languages = chance.choice([0, 1], CHUNK, p=[0.7, 0.3])
            sizes = np.array([DEMAND_UNITS[LANGUAGES[each]] for each in languages])
        else:
            languages = chance.choice(len(LANGUAGES), CHUNK, p=[SHARES[each] for each in LANGUAGES])
            bounds = np.array([UNITS.get(each, _OTHERS) for each in LANGUAGES])[languages]
            sizes = chance.integers(bounds[:, 0], bounds[:, 1])
        rows = np.repeat(np.arange(CHUNK), sizes)
        topics = chance.integers(0, TOPICS, CHUNK)[rows]
        topical = self._topics[topics, chance.integers(0, TOPIC_UNITS, len(rows))]
        general = self._concepts + np.searchsorted(self._zipf, chance.random(len(rows)))
        chosen = np.where(chance.random(len(rows)) < TOPICAL, topical, general)
        units = self._first[languages[rows]] + chosen
        units_of = self._asked if kind == "demands" else self._supplied
        shape = (CHUNK, units_of.shape[0])
        bags = sparse.csr_array((np.ones(len(rows), np.int32), (rows, units)), shape=shape)
        terms = (bags @ units_of).tocsr()
        terms.sort_indices()
        lengths = bags @ self._lengths
        return Documents(languages, lengths, terms.indptr, terms.indices, terms.data)


def supply_id(number: int) -> UUID:
    return UUID(int=(1 << 64) + number)


def demand_id(number: int) -> UUID:
    return UUID(int=(2 << 64) + number)


def number_of(found: UUID) -> int:
    return found.int & ((1 << 64) - 1)


def _words(language: str, count: int, chance: np.random.Generator) -> list[str]:
    """Return the first label of every concept, then words of no topic, the most usual first."""
    vocabulary = load_vocabulary()
    labels = [concept.label(language) for concept in vocabulary.concepts.values()]
    known = {
        "vi": list(vocabulary.lexicons["en"]),
        "en": sorted({word for words in vocabulary.lexicons["en"].values() for word in words}),
    }.get(language, [])
    general = [known[place] for place in chance.permutation(len(known))][:count]
    return [*labels, *general, *_meaningless(language, count - len(general), chance)]


def _meaningless(language: str, count: int, chance: np.random.Generator) -> list[str]:
    if language in _LETTERS:
        first, size = _LETTERS[language]
        pairs = first + chance.integers(0, size, (count, 2))
        return [chr(one) + chr(other) for one, other in pairs.tolist()]
    parts = _SYLLABLES.split()
    drawn = chance.integers(0, len(parts), (count, 4)).tolist()
    between = " " if language == "vi" else ""
    size = 2 if language == "vi" else 4
    return [between.join(parts[each] for each in four[:size]) for four in drawn]


Counts = dict[str, int]


def _read(language: str, word: str) -> tuple[Counts, Counts, int]:
    """Return the terms of a unit in a supply and in a demand, and its length; as `views_of`."""
    part = analyse(word, language)
    supplied = {term: count * DESCRIPTION for term, count in part.counts.items()}
    for concept, often in concepts_in(word, language).items():
        for term in (f"{CONCEPT}{concept}", *broader_terms(concept)):
            supplied[term] = supplied.get(term, 0) + round(often * DESCRIPTION)
    asked = dict(supplied)
    if language == "vi":
        for unit, often in units_in(word).items():
            asked[unit] = asked.get(unit, 0) + round(often * DESCRIPTION)
    return supplied, asked, part.length * DESCRIPTION


def _matrix(rows: Sequence[Counts], numbers: dict[str, int]) -> Matrix:
    starts = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    ids = np.array([numbers[term] for row in rows for term in row], np.int32)
    counts = np.array([count for row in rows for count in row.values()], np.int32)
    return sparse.csr_array((counts, ids, starts), shape=(len(rows), len(numbers)))


def _codes(chance: np.random.Generator) -> dict[str, Any]:
    return {
        "fields": [f"2.{chance.integers(1, 12)}"],
        "industries": [str(chance.choice(["1079", "1071", "2825", "2821", "0127"]))],
        "ipc": [str(chance.choice(["A23F 3/06", "F26B 17/04", "C02F 1/44", "B25J 9/00"]))],
    }


def _level(chance: np.random.Generator) -> dict[str, int]:
    return {name: int(chance.integers(1, 6)) for name in ("skills", "capital", "infrastructure")}


def _supply_facts(language: str, chance: np.random.Generator) -> list[SupplyFacts]:
    found = []
    for _ in range(PROFILES):
        profile = SupplyProfile(
            title="-",
            trl=int(chance.integers(3, 10)),
            country=str(chance.choice(["VN", "KR", "JP", "DE", "CN", "US"])),
            price={"min": int(chance.integers(1, 400)) * 10_000_000, "currency": "VND"},
            requires=_level(chance),
            available_until="2031-12-31" if chance.random() < 0.5 else None,
            transfer={"scope": str(chance.choice(["PARTIAL", "WHOLE", "EITHER"]))},
            **_codes(chance),
        )
        facts = supply_facts(profile, SupplyStatus.PUBLISHED, ())
        found.append(replace(facts, language=language, languages=frozenset({language})))
    return found


def _demand_facts(language: str, chance: np.random.Generator) -> list[DemandFacts]:
    found = []
    for _ in range(PROFILES):
        profile = DemandProfile(
            title="-",
            trl_min=int(chance.integers(1, 7)),
            preferred_countries=["VN", "KR"],
            budget={"max": int(chance.integers(20, 400)) * 10_000_000, "currency": "VND"},
            absorption=_level(chance),
            needed_by="2029-12-31" if chance.random() < 0.5 else None,
            transfer={"scope": "WHOLE"} if chance.random() < 0.5 else None,
            **_codes(chance),
        )
        found.append(replace(demand_facts(profile, ()), language=language))
    return found
