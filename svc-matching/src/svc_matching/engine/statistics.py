"""What the index knows of the whole collection, frozen for one epoch.

Inside an epoch every pair's score is a pure function of the pair, so a list kept up to date is
equal to one ranked anew. Each script is a pool with its own idf scale and each language has its
own average length: a Vietnamese text must not look long beside an English one.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import log

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.in_use import vocabulary
from svc_matching.engine.lexicon import ALL, POOLS, Lexicon, pool_of
from svc_matching.engine.translations import UNIT as TERM_OF_UNIT
from svc_matching.engine.translations import alternatives
from svc_matching.engine.vectors import TextVector
from svc_matching.engine.views import UNIT
from svc_matching.engine.vocabulary import Vocabulary
from svc_matching.engine.word_sets import WordSets

_DEFAULT_LENGTH = 120.0 * UNIT

_LEAST_RARITY = 0.1
"""Even a word of every text counts: a region that only offers tea dryers must find them."""

_REMEMBERED = 50_000
"""Sets of translations whose rarity is kept, for the sake of memory."""

_PRIOR_TEXTS = 100
"""A small pool says little about what is common: as if so many more texts lacked the term."""


def _rarity(texts: int, seen: int) -> float:
    # math.log, not np.log: its last bit must not depend on the position in an array.
    rarity = log(1 + (max(texts - seen, 0) + 0.5) / (seen + 0.5)) / log(1 + (texts + 0.5) / 0.5)
    return max(_LEAST_RARITY, min(1.0, rarity))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Document frequencies by term id, pool sizes and average lengths when they were frozen."""

    epoch: int
    documents: int
    frequencies: NDArray[np.int32] = field(repr=False)
    pools: dict[str, int]
    lengths: dict[str, float]

    def average_length(self, language: str) -> float:
        return self.lengths.get(language, _DEFAULT_LENGTH)

    def rarities(self, lexicon: Lexicon) -> NDArray[np.float64]:
        """Return each term's idf over its pool's largest: 1 when never seen, small when common.

        The division makes a rare word of a small pool worth as much as one of a large pool.
        """
        size = len(self.frequencies)
        rarities = np.ones(len(lexicon))
        pools = lexicon.pools()[:size]
        for place, name in enumerate(POOLS):
            members = np.flatnonzero(pools == place)
            texts = self.pools.get(name, 0) + _PRIOR_TEXTS
            seen, where = np.unique(self.frequencies[members], return_inverse=True)
            table = np.array([_rarity(texts, number) for number in seen.tolist()])
            rarities[members] = table[where]
        return rarities

    def rarity_of_set(self, seen: float, language: str) -> float:
        """Return the rarity of a set of a language's words that together are in `seen` texts."""
        texts = self.pools.get(pool_of(language), 0) + _PRIOR_TEXTS
        return _rarity(texts, min(round(seen), texts))

    def dump(self, lexicon: Lexicon) -> bytes:
        """Return the statistics as bytes for the table of epochs."""
        seen = np.flatnonzero(self.frequencies)
        body = {
            "documents": self.documents,
            "pools": self.pools,
            "lengths": self.lengths,
            "terms": "\x1e".join(lexicon.term(number) for number in seen.tolist()),
            "frequencies": self.frequencies[seen].tolist(),
        }
        return zlib.compress(json.dumps(body, ensure_ascii=False).encode(), level=1)

    @classmethod
    def load(cls, epoch: int, dumped: bytes, lexicon: Lexicon) -> "Statistics":
        """Read what `dump` wrote; its terms get ids of this process."""
        body = json.loads(zlib.decompress(dumped))
        ids = lexicon.intern(body["terms"].split("\x1e") if body["terms"] else [])
        frequencies = np.zeros(len(lexicon), np.int32)
        frequencies[ids] = body["frequencies"]
        return cls(epoch, body["documents"], frequencies, body["pools"], body["lengths"])


@dataclass(frozen=True, slots=True)
class Frozen:
    """Statistics with the rarities they give; a reader may use it while the engine goes on."""

    statistics: Statistics
    rarities: NDArray[np.float64] = field(repr=False)
    lexicon: Lexicon = field(repr=False)
    _of_units: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _word_sets: dict[str, tuple[Vocabulary, WordSets]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, statistics: Statistics, lexicon: Lexicon) -> "Frozen":
        return cls(statistics, statistics.rarities(lexicon), lexicon)

    def rarities_of(self, terms: Sequence[str]) -> NDArray[np.float64]:
        """Return the rarity of each term; those younger than the statistics are rarest."""
        ids = self.lexicon.find(terms)
        known = (ids >= 0) & (ids < len(self.rarities))
        found = np.ones(len(terms))
        found[known] = self.rarities[ids[known]]
        return found

    def word_sets(self, language: str, lexicon: Lexicon) -> WordSets:
        """Return the sets that terms of a lexicon are in a language; kept for our own lexicon."""
        if lexicon is not self.lexicon:
            return WordSets(language, lexicon, partial(self._rarity_of, language, lexicon))
        used, known = vocabulary(), self._word_sets.get(language)
        if known is None or known[0] is not used:
            made = WordSets(language, lexicon, partial(self._rarity_of, language, lexicon))
            known = self._word_sets[language] = used, made
        return known[1]

    def _rarity_of(self, language: str, lexicon: Lexicon, number: int) -> float:
        term = lexicon.term(number)
        if term[0] == TERM_OF_UNIT:
            return self.rarity_of_unit(term, language)
        return float(self.rarities_of([term])[0])

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end the sets of terms that came meanwhile; see `Lexicon.passing`."""
        before = dict(self._word_sets)
        with ExitStack() as forgetting:
            for _, sets in before.values():
                forgetting.enter_context(sets.passing())
            yield
        for language in self._word_sets.keys() - before.keys():
            del self._word_sets[language]

    def rarity_of_unit(self, unit: str, language: str) -> float:
        """Return how rare the words are that a unit may be in a language; kept for the epoch."""
        key = unit, language
        known = self._of_units.get(key)
        if known is None:
            words = alternatives(unit, language)
            seen = self.frequencies_of([word for word, _ in words])
            counted = float(seen @ np.array([share for _, share in words]))
            if len(self._of_units) >= _REMEMBERED:
                self._of_units.clear()
            known = self._of_units[key] = self.statistics.rarity_of_set(counted, language)
        return known

    def frequencies_of(self, terms: Sequence[str]) -> NDArray[np.int32]:
        """Return in how many supplies each term occurred when the statistics were frozen."""
        ids = self.lexicon.find(terms)
        counted = self.statistics.frequencies
        known = (ids >= 0) & (ids < len(counted))
        found = np.zeros(len(terms), np.int32)
        found[known] = counted[ids[known]]
        return found


def freeze(
    epoch: int, collection: Iterable[tuple[TextVector, ...]], lexicon: Lexicon
) -> Statistics:
    """Count terms, pools and lengths over the texts of every live supply."""
    pools: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    seen: list[NDArray[np.int32]] = []
    documents = 0
    for views in collection:
        documents += 1
        pools.update({ALL, *(pool_of(view.language) for view in views)})
        for view in views:
            sums[view.language] += view.length
            counts[view.language] += 1
        ids = [view.ids for view in views]
        seen += [np.unique(np.concatenate(ids))] if len(ids) > 1 else ids
    frequencies = np.zeros(len(lexicon), np.int32)
    if seen:
        counted = np.bincount(np.concatenate(seen), minlength=len(lexicon))
        frequencies = counted.astype(np.int32)
    lengths = {language: max(1.0, sums[language] / counts[language]) for language in counts}
    return Statistics(epoch, documents, frequencies, dict(pools), lengths)
