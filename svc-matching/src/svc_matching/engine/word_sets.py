"""What a demand's terms may be in another language, looked up once an epoch."""

from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.lexicon import (
    BROADER_KIND,
    CONCEPT_KIND,
    KINDS,
    UNIT_KIND,
    WORD,
    Lexicon,
)
from svc_matching.engine.translations import alternatives

ACROSS = {WORD: 1.0, CONCEPT_KIND: 0.6, BROADER_KIND: 0.12}
"""What terms count that stand in both languages as they are, beside a translated word."""
ASKS_ACROSS = np.isin(np.arange(KINDS), (*ACROSS, UNIT_KIND))

_KEPT = 50_000
"""Sets that are kept, for the sake of memory."""

IntArray = NDArray[np.int32]
Values = NDArray[np.float64]
RarityOf = Callable[[int], float]


@dataclass(frozen=True, slots=True)
class Sets:
    """Some sets one after the other: their terms, and what each counts, at most 1.

    By set: how many terms it has, what its strongest counts, and how rare it is.
    """

    ids: IntArray
    shares: Values
    lengths: IntArray
    strongest: Values
    rarities: Values


class WordSets:
    """The sets of one language: a unit's are its translations, another term is its own.

    `rarity_of` says how rare a term's set is.
    """

    def __init__(self, language: str, lexicon: Lexicon, rarity_of: RarityOf) -> None:
        self._language = language
        self._lexicon = lexicon
        self._rarity_of = rarity_of
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[int, int | None] = {}
        self._starts, self._ids, self._shares = array("i", [0]), array("i"), array("d")
        self._strongest, self._rarities = array("d"), array("d")

    def find(self, terms: IntArray) -> tuple[NDArray[np.bool_], Sets]:
        """Return which terms have a set, and those sets."""
        if len(self._starts) > _KEPT:
            self._clear()
        numbers = terms.tolist()
        rows = [self._rows[each] if each in self._rows else self._add(each) for each in numbers]
        known = np.array([row is not None for row in rows], np.bool_)
        return known, self._sets(np.array([row for row in rows if row is not None], np.int64))

    def _sets(self, rows: NDArray[np.int64]) -> Sets:
        starts = np.frombuffer(self._starts, np.int32)
        lengths = starts[rows + 1] - starts[rows]
        ends = np.cumsum(lengths)
        places = np.repeat(starts[rows] - (ends - lengths), lengths) + np.arange(lengths.sum())
        return Sets(
            np.frombuffer(self._ids, np.int32)[places],
            np.frombuffer(self._shares)[places],
            lengths,
            np.frombuffer(self._strongest)[rows],
            np.frombuffer(self._rarities)[rows],
        )

    def _add(self, term: int) -> int | None:
        kind = int(self._lexicon.kinds(np.array([term]))[0])
        ids, shares = [term], [ACROSS.get(kind, 0.0)]
        if kind == UNIT_KIND:
            found = alternatives(self._lexicon.term(term), self._language)
            ids = self._lexicon.intern([word for word, _ in found]).tolist()
            shares = [share for _, share in found]
        row = len(self._strongest) if ids else None
        if ids:
            self._ids.extend(ids)
            self._shares.extend(shares)
            self._starts.append(len(self._ids))
            self._strongest.append(max(shares))
            self._rarities.append(self._rarity_of(term))
        self._rows[term] = row
        return row

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end what was looked up meanwhile: its terms may be forgotten too.

        The sets stay, for nothing leads to them any more.
        """
        rows, size = self._rows, len(self._rows)
        try:
            yield
        finally:
            if self._rows is not rows:
                self._clear()
            for term in list(islice(rows, size, None)):
                del rows[term]
