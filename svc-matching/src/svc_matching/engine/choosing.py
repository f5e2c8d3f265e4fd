"""Which pairs of a block are worth keeping, compiled."""

from math import inf

import numpy as np
from numba import types

from svc_matching.engine.compiling import array, compiled, part
from svc_matching.engine.look_types import B1, F8, I4, I8, LOOKS, Looks

_I8, _B1 = array(types.int64), array(types.boolean)
_WHOLE, _REAL = types.int64, types.float64


@part
def _mark_highest(values: F8 | I4, among: B1, first: int, best: F8 | I4, chosen: B1) -> None:
    """Mark the highest that are `among`, so many as `best` has places, all of equal value too."""
    held = 0
    for place in range(len(among)):
        value = values[first + place]
        if not among[place] or (held == len(best) and value <= best[-1]):
            continue
        held = min(held + 1, len(best))
        at = held - 1
        while at > 0 and best[at - 1] < value:
            best[at] = best[at - 1]
            at -= 1
        best[at] = value
    bar = best[-1] if held == len(best) else -inf
    for place in range(len(among)):
        if among[place] and values[first + place] >= bar:
            chosen[first + place] = True


@compiled(_I8, LOOKS, _WHOLE, _REAL, _REAL, _WHOLE, _WHOLE, _B1)
def choose(
    starts: I8,
    looks: Looks,
    gates: int,
    floor: float,
    relevant: float,
    listed: int,
    missed: int,
    chosen: B1,
) -> None:
    """Mark the pairs that could be listed, be a near miss or be the witness of their demand.

    `starts` are the first rows of each demand, and the end of the last; `gates` the reasons that
    keep a pair out of the list, `floor` and `relevant` the least relevance in it and of the others.
    """
    for demand in range(len(starts) - 1):
        first, last = starts[demand], starts[demand + 1]
        about, reasons = looks.relevance[first:last], looks.reasons[first:last]
        passing = ((reasons & gates) == 0) & (about >= floor)
        _mark_highest(looks.scores, passing, first, np.empty(listed, np.int32), chosen)
        near = about >= relevant
        _mark_highest(looks.relevance, near & (reasons != 0), first, np.empty(missed), chosen)
        _mark_highest(looks.relevance, near & (reasons == 0), first, np.empty(1), chosen)
