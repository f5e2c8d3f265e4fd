"""The measured quantities of all supplies, one after the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.growing import grown
from svc_matching.engine.look_types import Measured
from svc_matching.engine.quantities import Measure, Range

_FLOOR = 1024


class Ranges:
    """Slot → its ranges. What was replaced leaves a gap until there is no more room."""

    def __init__(self) -> None:
        self.measures: dict[Measure, int] = {}
        self._starts = np.zeros(64, np.int64)
        self._counts = np.zeros(64, np.int32)
        self._columns = _columns(_FLOOR)
        self._end = 0

    @property
    def measured(self) -> Measured:
        return Measured(self._starts, self._counts, *self._columns)

    def put(self, slot: int, given: Sequence[Range]) -> None:
        """Set what a slot has."""
        self._starts, self._counts = grown(self._starts, slot + 1), grown(self._counts, slot + 1)
        self._counts[slot] = 0
        if self._end + len(given) > len(self._columns[0]):
            self._close_gaps(len(given))
        self._starts[slot], self._counts[slot] = self._end, len(given)
        for place, each in enumerate(given, start=self._end):
            number = self.measures.setdefault(each.measure, len(self.measures))
            values = number, each.low, each.high, each.read
            for column, value in zip(self._columns, values, strict=True):
                column[place] = value
        self._end += len(given)

    def _close_gaps(self, more: int) -> None:
        """Begin anew with what the slots have, and room for as much again."""
        starts, counts, old = self._starts, self._counts, self._columns
        self._starts = np.cumsum(counts) - counts
        self._end = int(counts.sum())
        kept = np.arange(self._end) + np.repeat(starts - self._starts, counts)
        self._columns = _columns(max(_FLOOR, 2 * (self._end + more)))
        for column, before in zip(self._columns, old, strict=True):
            column[: self._end] = before[kept]


def _columns(size: int) -> tuple[NDArray[Any], ...]:
    measures, read = np.zeros(size, np.int32), np.zeros(size, np.bool_)
    return measures, np.zeros(size), np.zeros(size), read
