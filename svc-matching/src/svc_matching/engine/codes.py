"""Nearness of classification codes: FORD fields, ISIC industries, IPC classes.

Nearness is symmetric and the best pair counts, so it is the same seen from either side.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine import kernels
from svc_matching.engine.growing import grown

CODES_PER_ITEM = 5
MAX_TABLES = 1024
"""Codes of the other side whose nearness to every code of this side is remembered."""

MAX_NEARS = 128
"""Askers whose nearness to every set of this side is remembered."""

_IPC = re.compile(r"([A-H])(\d{2})?([A-Z])? ?(\d{1,4})?(?:/(\d{2,6}))?")
_IPC_LEVELS = (0.0, 0.05, 0.3, 0.75, 0.9, 1.0)


def field_nearness(one: str, other: str) -> float:
    """Same field 1; a field and its own major group .6; two fields of one group .3."""
    if one == other:
        return 1.0
    if one[0] != other[0]:
        return 0.0
    return 0.6 if len(one) == 1 or len(other) == 1 else 0.3


def industry_nearness(one: str, other: str) -> float:
    """Same ISIC class 1, group .7, division .4."""
    for digits, value in ((4, 1.0), (3, 0.7), (2, 0.4)):
        if one[:digits] == other[:digits]:
            return value
    return 0.0


def ipc_nearness(one: str, other: str) -> float:
    """Grow with the shared levels: section, class, subclass, main group, subgroup."""
    if one == other:
        return 1.0
    first, second = _IPC.fullmatch(one), _IPC.fullmatch(other)
    if first is None or second is None:
        return 0.0
    shared = 0
    for left, right in zip(first.groups(), second.groups(), strict=True):
        if left is None or left != right:
            break
        shared += 1
    return _IPC_LEVELS[shared]


class CodeColumn:
    """The codes of every row of one side, to be compared with a few codes of the other.

    Rows with the same codes share a set, and nearness is looked up once a set.
    """

    def __init__(self, nearness: Callable[[str, str], float]) -> None:
        self._nearness = nearness
        self._numbers: dict[str, int] = {}
        self._names: list[str] = [""]
        self._sets: dict[tuple[str, ...], int] = {(): 0}
        self._members = np.zeros((64, CODES_PER_ITEM), np.int32)
        self._rows = np.zeros(64, np.int32)
        self._tables: dict[str, NDArray[np.float64]] = {}
        self._nears: dict[tuple[str, ...], NDArray[np.float64]] = {}

    def put(self, slot: int, codes: Sequence[str]) -> None:
        self._rows = grown(self._rows, slot + 1)
        self._rows[slot] = self._set(tuple(codes[:CODES_PER_ITEM]))

    def _set(self, codes: tuple[str, ...]) -> int:
        number = self._sets.get(codes)
        if number is None:
            number = self._sets[codes] = len(self._sets)
            self._members = grown(self._members, number + 1)
            for place, code in enumerate(codes):
                self._members[number, place] = self._number(code)
        return number

    def _number(self, code: str) -> int:
        number = self._numbers.get(code)
        if number is None:
            number = self._numbers[code] = len(self._names)
            self._names.append(code)
        return number

    def _table(self, code: str) -> NDArray[np.float64]:
        table = self._tables.get(code)
        done = 1 if table is None else len(table)
        if table is None or done < len(self._names):
            fresh = [self._nearness(code, name) for name in self._names[done:]]
            head = np.zeros(1) if table is None else table
            if len(self._tables) >= MAX_TABLES:
                self._tables.clear()
            table = self._tables[code] = np.concatenate([head, np.array(fresh)])
        return table

    def near(self, codes: Sequence[str]) -> NDArray[np.float64]:
        """Return the best nearness of each set to `codes`, of the empty one .5; nothing for none.

        Many ask by the same codes, so what was found is kept as far as the sets have not grown.
        """
        if not codes:
            return np.empty(0)
        asked = tuple(codes)
        near = self._nears.get(asked)
        if near is None or len(near) < len(self._sets):
            table = self._table(codes[0])
            for code in codes[1:]:
                table = np.maximum(table, self._table(code))
            near = table[self._members[: len(self._sets)]].max(axis=1)
            near[0] = 0.5
            if len(self._nears) >= MAX_NEARS:
                self._nears.clear()
            self._nears[asked] = near
        return near

    def rows(self, size: int) -> NDArray[np.int32]:
        """Return the set of each slot below `size`; 0 is the empty one."""
        self._rows = grown(self._rows, size)
        return self._rows[:size]


def sides_of(
    columns: tuple[CodeColumn, CodeColumn, CodeColumn],
    asked: tuple[Sequence[str], Sequence[str], Sequence[str]],
    size: int,
) -> kernels.Sides:
    """Return the nearness of all slots below `size` to what is asked by, for each side."""
    first, second, third = columns
    one, two, three = asked
    nears = first.near(one), second.near(two), third.near(three)
    return nears, (first.rows(size), second.rows(size), third.rows(size))
