"""What a close look at pairs reads and writes, column by column, and how numba knows it."""

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from svc_matching.engine.compiling import array, named, tuple_of

I1 = NDArray[np.int8]
I2 = NDArray[np.int16]
I4 = NDArray[np.int32]
I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]
U2 = NDArray[np.uint16]
F8 = NDArray[np.float64]
B1 = NDArray[np.bool_]


LEVELS = 6
"""Capabilities that a supply may require; see `weights.LEVELS`."""


class Supplies(NamedTuple):
    """The supplies' facts by slot; 0 and NaN are unknown.

    `scope`, `right` and `exclusivity` are sets of what is agreeable, `forms`, `parts` and `methods`
    of what is offered. `spoken` and `levels` have a row for each slot.
    """

    status: I1
    trl: I1
    scope: U1
    right: U1
    exclusivity: U1
    forms: U1
    parts: U1
    methods: U1
    country: I2
    used: B1
    year_made: I2
    restricted: B1
    language: I2
    spoken: I2
    ipr: F8
    until: I4
    price: F8
    levels: I1


class Measured(NamedTuple):
    """Ranges of measured quantities, and by slot where its own start and how many they are.

    `read` says of a range that it stood in running text, where a gate does not look.
    """

    starts: I8
    counts: I4
    measures: I4
    lows: F8
    highs: F8
    read: B1


class Want(NamedTuple):
    """What one demand asks for; 0, NaN and none are unknown. Terms of transfer as in `Supplies`.

    The `…_clash` are offers that a gate refuses, -1 for none.
    """

    trl: int
    scope: int
    right: int
    exclusivity: int
    scope_clash: int
    right_clash: int
    exclusivity_clash: int
    forms: int
    parts: int
    methods: int
    preferred: I2
    excluded: I2
    refuses_used: bool
    language: int
    needed_by: int
    ceiling: float
    levels: tuple[int, ...]


class Needs(NamedTuple):
    """The quantities that one demand asks for, by the measures that any supply states."""

    measures: I4
    lows: F8
    highs: F8
    must: B1


class Formula(NamedTuple):
    """The weights, and the rules that a gate needs.

    Equipment is too old that was made before `oldest`.
    """

    base: float
    suitability_share: float
    feasibility_share: float
    relevance: F8
    suitability: F8
    feasibility: F8
    oldest: int


class About(NamedTuple):
    """The pairs of one demand, and what their relevance is made of.

    `slots`, `terms` and `dense` are by pair; `nears` are nearness by set of codes of fields,
    industries and IPC (none: unknown), `sets` the set of each slot.
    """

    slots: I8
    terms: F8
    nears: tuple[F8, F8, F8]
    sets: tuple[I4, I4, I4]
    dense: F8
    dense_known: B1


class Looks(NamedTuple):
    """What is found of some pairs: a row each, a column for each component in `values` and `known`.

    `scores` are millionths, `reasons` bit sets of `ReasonCode`.
    """

    values: F8
    known: B1
    relevance: F8
    scores: I4
    reasons: U2


_F8, _B1, _I8 = array(types.float64), array(types.boolean), array(types.int64)
_I1, _I2, _I4 = array(types.int8), array(types.int16), array(types.int32)
_U1, _U2 = array(types.uint8), array(types.uint16)
SUPPLIES = named(
    Supplies,
    *(_I1, _I1, _U1, _U1, _U1, _U1, _U1, _U1, _I2, _B1, _I2, _B1, _I2),
    *(array(types.int16, 2), _F8, _I4, _F8, array(types.int8, 2)),
)
MEASURED = named(Measured, _I8, _I4, _I4, _F8, _F8, _B1)
_WHOLE, _REAL, _TRUTH = types.int64, types.float64, types.boolean
WANT = named(
    Want,
    *[_WHOLE] * 10,
    *(_I2, _I2, _TRUTH, _WHOLE, _WHOLE, _REAL, tuple_of(*[_WHOLE] * LEVELS)),
)
NEEDS = named(Needs, _I4, _F8, _F8, _B1)
FORMULA = named(Formula, _REAL, _REAL, _REAL, _F8, _F8, _F8, _WHOLE)
_SIDES = tuple_of(_F8, _F8, _F8), tuple_of(_I4, _I4, _I4)
ABOUT = named(About, _I8, _F8, *_SIDES, _F8, _B1)
LOOKS = named(Looks, array(types.float64, 2), array(types.boolean, 2), _F8, _I4, _U2)
