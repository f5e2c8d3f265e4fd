"""Rows of term weights that are multiplied by some queries at once.

An immutable base in compressed columns, a small delta of rows changed since, and the set of base
rows that no longer count; when the delta grows large, all becomes a new base.
"""

import itertools
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from svc_matching.engine.vectors import IntArray, TermSets

_DELTA_FLOOR = 256
_DELTA_SHARE = 8

Scores = NDArray[np.int32]
Terms = tuple[IntArray, IntArray]
"""Ids in rising order, and their weights."""


class SparseRows:
    """Slot → weights by term id. Slots are small whole numbers that the caller gives out."""

    def __init__(self) -> None:
        self._rows: dict[int, Terms] = {}
        self._base = _by_term([], 0)
        self._stale: set[int] = set()
        self._changed: set[int] = set()
        self._delta: tuple[IntArray, sparse.csr_array] | None = None

    @classmethod
    def of(cls, rows: dict[int, Terms]) -> Self:
        """Make all rows the base at once."""
        made = cls()
        made._rows = rows
        made.compact()
        return made

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, slot: int) -> bool:
        return slot in self._rows

    def put(self, slot: int, ids: IntArray, values: IntArray) -> None:
        self._rows[slot] = (ids, values)
        self._touch(slot)

    def drop(self, slot: int) -> None:
        del self._rows[slot]
        self._touch(slot)

    def row(self, slot: int) -> Terms:
        return self._rows[slot]

    def _touch(self, slot: int) -> None:
        self._stale.add(slot)
        self._changed.add(slot)
        self._delta = None
        if len(self._changed) > max(_DELTA_FLOOR, len(self._rows) // _DELTA_SHARE):
            self.compact()

    def compact(self) -> None:
        """Make everything the base."""
        slots = sorted(self._rows)
        size = slots[-1] + 1 if slots else 0
        self._base = _by_term([(slot, *self._rows[slot]) for slot in slots], size)
        self._stale.clear()
        self._changed.clear()
        self._delta = None

    def dot(self, queries: Sequence[Terms], size: int) -> Scores:
        """Return the products of each query (a row) with every slot below `size`; absent: 0."""
        out = _product(queries, self._base, size)
        if self._stale:
            out[:, [slot for slot in self._stale if slot < size]] = 0
        if self._changed:
            slots, matrix = self._current_delta()
            out[:, slots] = _product(queries, matrix, len(slots))
        return out

    def dot_sets(self, sets: TermSets, size: int) -> Scores:
        """Return what every slot below `size` has of a query by sets: the best of each."""
        out = _best_product(sets, self._base, size)
        if self._stale:
            out[[slot for slot in self._stale if slot < size]] = 0
        if self._changed:
            slots, matrix = self._current_delta()
            out[slots] = _best_product(sets, matrix, len(slots))
        return out

    def some(self, slots: Sequence[int]) -> "SomeRows":
        """Return a few rows, to be multiplied by several queries."""
        rows = [(number, *self._rows[slot]) for number, slot in enumerate(slots)]
        return SomeRows(_by_term(rows, len(slots)), len(slots))

    def _current_delta(self) -> tuple[IntArray, sparse.csr_array]:
        if self._delta is None:
            slots = sorted(self._changed & self._rows.keys())
            rows = [(number, *self._rows[slot]) for number, slot in enumerate(slots)]
            self._delta = np.array(slots, np.int32), _by_term(rows, len(slots))
        return self._delta


class SomeRows:
    """A few rows by term."""

    def __init__(self, matrix: sparse.csr_array, size: int) -> None:
        self._matrix = matrix
        self._size = size

    def dot(self, queries: Sequence[Terms]) -> Scores:
        """Return the products of each query (a row) with every row."""
        return _product(queries, self._matrix, self._size)

    def dot_sets(self, sets: TermSets) -> Scores:
        """Return what every row has of a query by sets."""
        return _best_product(sets, self._matrix, self._size)


def _by_term(rows: list[tuple[int, IntArray, IntArray]], size: int) -> sparse.csr_array:
    """Return a matrix with a row for each term and a column for each slot below `size`."""
    if not rows:
        return sparse.csr_array(np.zeros((0, size), np.int32))
    ids = np.concatenate([ids for _, ids, _ in rows])
    values = np.concatenate([values for _, _, values in rows])
    lengths = np.zeros(size + 1, np.int32)
    for number, row_ids, _ in rows:
        lengths[number + 1] = len(row_ids)
    width = int(ids.max()) + 1 if len(ids) else 0
    starts = np.cumsum(lengths, dtype=np.int32)
    by_slot = sparse.csr_array((values, ids, starts), shape=(size, width))
    columns = by_slot.tocsc()
    return sparse.csr_array((columns.data, columns.indices, columns.indptr), shape=(width, size))


def _product(queries: Sequence[Terms], matrix: sparse.csr_array, size: int) -> Scores:
    """Multiply queries with the columns of `matrix`; return `size` products for each."""
    out = np.zeros((len(queries), size), np.int32)
    width, height = matrix.shape
    if not queries or not width:
        return out
    starts = np.zeros(len(queries) + 1, np.int32)
    np.cumsum([len(ids) for ids, _ in queries], out=starts[1:])
    ids = np.concatenate([ids for ids, _ in queries])
    weights = np.concatenate([weights for _, weights in queries])
    inside = ids < width
    if not inside.all():
        # Of 32 bits like the matrix: the smaller of two kinds of index would be copied whole.
        before = np.zeros(len(inside) + 1, np.int32)
        np.cumsum(inside, out=before[1:])
        starts = before[starts]
        ids, weights = ids[inside], weights[inside]
    left = sparse.csr_array((weights, ids, starts), shape=(len(queries), width))
    height = min(size, height)
    out[:, :height] = (left @ matrix).toarray()[:, :height]
    return out


def _best_product(sets: TermSets, matrix: sparse.csr_array, size: int) -> Scores:
    """Add up, slot by slot, the best product of each set."""
    width, height = matrix.shape
    total, best = np.zeros((2, max(size, height)), np.int32)
    starts, columns, values = matrix.indptr, matrix.indices, matrix.data
    for first, last in itertools.pairwise(sets.starts.tolist()):
        words = zip(sets.ids[first:last].tolist(), sets.weights[first:last].tolist(), strict=True)
        spans = [
            (slice(starts[term], starts[term + 1]), weight)
            for term, weight in words
            if term < width
        ]
        met = [
            (columns[span], weight * values[span])
            for span, weight in spans
            if span.start < span.stop
        ]
        if len(met) == 1:
            total[met[0][0]] += met[0][1]
        elif met:
            for slots, products in met:
                best[slots] = np.maximum(best[slots], products)
            total += best
            for slots, _ in met:
                best[slots] = 0
    return np.asarray(total[:size])
