"""Rows of term weights by slot, and the postings of their terms.

An immutable base, an appended delta of rows changed since, and an owner for each cell: one without
an owner no longer counts. When the delta grows large, all becomes a new base.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine import kernels
from svc_matching.engine.growing import grown
from svc_matching.engine.vectors import IntArray

_DELTA_FLOOR = 1 << 16
_DELTA_SHARE = 32
"""A delta of so many entries, about 500 texts, and of such a share becomes part of the base."""

_LARGEST = np.iinfo(np.uint16).max

Weights = NDArray[np.uint16]
Terms = tuple[IntArray, Weights]
"""Term ids and their weights."""


class Row(NamedTuple):
    """What a slot has: terms and weights of all its cells, and how many each cell has."""

    terms: IntArray
    weights: Weights
    lengths: IntArray

    @classmethod
    def single(cls, terms: IntArray, weights: NDArray[np.int32]) -> Self:
        """Return a row of one cell."""
        return cls(terms, whole(weights), np.array([len(terms)], np.int32))


@dataclass(frozen=True, slots=True)
class Base:
    """Rows by cell, and the same by term; nothing may change it."""

    starts: NDArray[np.int64]
    terms: IntArray
    weights: Weights
    firsts: NDArray[np.int64]
    cells: IntArray
    impacts: Weights

    @classmethod
    def of(cls, starts: NDArray[np.int64], terms: IntArray, weights: Weights) -> Self:
        firsts = np.zeros(int(terms.max(initial=-1)) + 2, np.int64)
        cells, impacts = np.empty_like(terms), np.empty_like(weights)
        for array in (starts, terms, weights):
            array.setflags(write=False)
        kernels.invert(starts, terms, weights, firsts, cells, impacts)
        for array in (firsts, cells, impacts):
            array.setflags(write=False)
        return cls(starts, terms, weights, firsts, cells, impacts)

    def __len__(self) -> int:
        return len(self.starts) - 1


class _Delta:
    """The same for a few cells more, in chains that grow."""

    def __init__(self) -> None:
        self.size = 0
        self.starts = np.zeros(64, np.int64)
        self.terms = np.empty(4096, np.int32)
        self.weights = np.empty(4096, np.uint16)
        self.nexts = np.empty(4096, np.int32)
        self.cells = np.empty(4096, np.int32)
        self.heads = np.empty(0, np.int32)

    def append(self, row: Row, base: int) -> None:
        """Add the cells of a row; the first of all has the number `base`."""
        end, first = self.size + len(row.lengths), int(self.starts[self.size])
        last = first + len(row.terms)
        self.starts = grown(self.starts, end + 1)
        self.terms, self.weights = grown(self.terms, last), grown(self.weights, last)
        self.nexts, self.cells = grown(self.nexts, last), grown(self.cells, last)
        self.heads = grown(self.heads, int(row.terms.max(initial=-1)) + 1, -1)
        self.terms[first:last], self.weights[first:last] = row.terms, row.weights
        self.starts[self.size + 1 : end + 1] = first + np.cumsum(row.lengths)
        kernels.chain(self.chains, self.starts, self.terms, self.size, end, base)
        self.size = end

    @property
    def chains(self) -> kernels.Delta:
        return self.heads, self.nexts, self.cells, self.weights


class SparseRows:
    """Slot → its row. Slots are small whole numbers that the caller gives out."""

    def __init__(self) -> None:
        nothing = np.empty(0, np.int32), np.empty(0, np.uint16)
        self._rebase(Base.of(np.zeros(1, np.int64), *nothing), np.empty(0, np.int32))

    @classmethod
    def of(cls, rows: Mapping[int, Row]) -> Self:
        """Make all rows the base at once."""
        if not rows:
            return cls()
        made, given = cls(), list(rows.values())
        starts = _starts(np.concatenate([row.lengths for row in given]))
        terms = np.concatenate([row.terms for row in given])
        weights = np.concatenate([row.weights for row in given])
        owners = np.repeat(np.array(list(rows), np.int32), [len(row.lengths) for row in given])
        made._rebase(Base.of(starts, terms, weights), owners)
        return made

    @classmethod
    def on(cls, base: Base, owners: IntArray) -> Self:
        """Begin with a base that was made before."""
        made = cls()
        made._rebase(base, owners)
        return made

    def compacted(self) -> tuple[Base, IntArray]:
        """Make everything the base; return it with the owner of each cell."""
        self.compact()
        return self._base, self._owners.copy()

    def _rebase(self, base: Base, owners: IntArray) -> None:
        """Begin with these cells; those of one owner stand together."""
        self._base, self._owners, self._delta = base, owners, _Delta()
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        slots, ends = owners[firsts], np.append(firsts[1:], len(owners))
        self._cells = dict(
            zip(slots.tolist(), map(range, firsts.tolist(), ends.tolist()), strict=True)
        )

    def __len__(self) -> int:
        return len(self._cells)

    @property
    def size(self) -> int:
        """How many cells there are, with those that have no owner any more."""
        return len(self._base) + self._delta.size

    @property
    def width(self) -> int:
        """One more than the largest term."""
        return max(len(self._base.firsts) - 1, len(self._delta.heads))

    def put(self, slot: int, row: Row) -> None:
        """Add a row, or replace what the slot has."""
        if slot in self._cells:
            self._disown(slot)
        first = self.size
        self._delta.append(row, len(self._base))
        self._owners = grown(self._owners, self.size)
        self._owners[first : self.size] = slot
        self._cells[slot] = range(first, self.size)
        self._compact_when_due()

    def drop(self, slot: int) -> None:
        self._disown(slot)
        self._compact_when_due()

    def _disown(self, slot: int) -> None:
        cells = self._cells.pop(slot)
        self._owners[cells.start : cells.stop] = -1

    def row(self, slot: int) -> Row:
        """Return what a slot has."""
        cells, size = self._cells[slot], len(self._base)
        starts, terms, weights = self._base.starts, self._base.terms, self._base.weights
        if cells.start >= size:
            delta = self._delta
            starts, terms, weights = delta.starts, delta.terms, delta.weights
            cells = range(cells.start - size, cells.stop - size)
        bounds = starts[cells.start : cells.stop + 1]
        first, last = bounds[0], bounds[-1]
        return Row(terms[first:last], weights[first:last], np.diff(bounds).astype(np.int32))

    def cells_of(self, slots: Iterable[int]) -> NDArray[np.int64]:
        """Return the cell of each slot that has one."""
        return np.array([self._cells[slot].start for slot in slots], np.int64)

    def _compact_when_due(self) -> None:
        entries = int(self._delta.starts[self._delta.size])
        if entries > max(_DELTA_FLOOR, len(self._base.terms) // _DELTA_SHARE):
            self.compact()

    def compact(self) -> None:
        """Make everything the base."""
        owners = self._owners[: self.size]
        live = np.flatnonzero(owners >= 0)
        cells = live[np.argsort(owners[live], kind="stable")]
        starts = _starts(self._lengths()[cells])
        terms, weights = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint16)
        kernels.gather(self.rows, cells, starts, terms, weights)
        self._rebase(Base.of(starts, terms, weights), owners[cells])

    def _lengths(self) -> NDArray[np.int64]:
        delta = self._delta
        return np.concatenate([np.diff(self._base.starts), np.diff(delta.starts[: delta.size + 1])])

    @property
    def postings(self) -> kernels.Cells:
        base = self._base.firsts, self._base.cells, self._base.impacts
        return base, self._delta.chains, self._owners[: self.size]

    @property
    def rows(self) -> kernels.Rows:
        base, delta = self._base, self._delta
        return base.starts, base.terms, base.weights, delta.starts, delta.terms, delta.weights


def _starts(lengths: NDArray[Any]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def whole(weights: NDArray[np.int32]) -> Weights:
    """Return weights as they are kept; ValueError for one that does not fit."""
    if len(weights) and not 0 <= weights.min() <= weights.max() <= _LARGEST:
        raise ValueError("a weight does not fit into 16 bits")
    return weights.astype(np.uint16)
