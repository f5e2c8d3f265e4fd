"""Rows of term weights that are multiplied by one query at once.

An immutable base in compressed columns, a small delta of rows changed since, and the set of base
rows that no longer count; when the delta grows large, all becomes a new base.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from svc_matching.engine.vectors import IntArray

_DELTA_FLOOR = 256
_DELTA_SHARE = 8

Scores = NDArray[np.int32]


class SparseRows:
    """Slot → weights by term id. Slots are small whole numbers that the caller gives out."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[IntArray, IntArray]] = {}
        self._base = _columns([], 0)
        self._stale: set[int] = set()
        self._changed: set[int] = set()
        self._delta: tuple[IntArray, sparse.csc_array] | None = None

    @classmethod
    def of(cls, rows: dict[int, tuple[IntArray, IntArray]]) -> Self:
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

    def row(self, slot: int) -> tuple[IntArray, IntArray]:
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
        self._base = _columns([(slot, *self._rows[slot]) for slot in slots], size)
        self._stale.clear()
        self._changed.clear()
        self._delta = None

    def dot(self, ids: IntArray, weights: IntArray, size: int) -> Scores:
        """Return the product of every slot below `size` with the query; absent slots give 0."""
        out = np.zeros(size, np.int32)
        rows, values = _product(self._base, ids, weights)
        out[rows] = values
        if self._stale:
            out[[slot for slot in self._stale if slot < size]] = 0
        if self._changed:
            slots, matrix = self._current_delta()
            rows, values = _product(matrix, ids, weights)
            out[slots[rows]] = values
        return out

    def _current_delta(self) -> tuple[IntArray, sparse.csc_array]:
        if self._delta is None:
            slots = sorted(self._changed & self._rows.keys())
            rows = [(number, *self._rows[slot]) for number, slot in enumerate(slots)]
            self._delta = np.array(slots, np.int32), _columns(rows, len(slots))
        return self._delta


def _columns(rows: list[tuple[int, IntArray, IntArray]], size: int) -> sparse.csc_array:
    if not rows:
        return sparse.csc_array((size, 0), dtype=np.int32)
    ids = np.concatenate([ids for _, ids, _ in rows])
    values = np.concatenate([values for _, _, values in rows])
    lengths = np.zeros(size + 1, np.int32)
    for number, row_ids, _ in rows:
        lengths[number + 1] = len(row_ids)
    width = int(ids.max()) + 1 if len(ids) else 0
    starts = np.cumsum(lengths, dtype=np.int32)
    return sparse.csr_array((values, ids, starts), shape=(size, width)).tocsc()


def _product(matrix: sparse.csc_array, ids: IntArray, weights: IntArray) -> tuple[Scores, Scores]:
    inside = ids < matrix.shape[1]
    if not inside.any():
        return np.empty(0, np.int32), np.empty(0, np.int32)
    ids, weights = ids[inside], weights[inside]
    starts = np.array([0, len(ids)], np.int32)
    column = sparse.csc_array((weights, ids, starts), shape=(matrix.shape[1], 1))
    product = matrix @ column
    return product.indices, product.data
