"""Capacity prices: supplies that lead more lists than they can serve are made dearer.

A market in rounds (tâtonnement): whoever leads too many lists under the prices of a round becomes
dearer in the next, whoever could lead more becomes cheaper again. All arithmetic is in whole
millionths and ties fall to the earlier supply, so the same lists always give the same prices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.weights import MILLION

Whole = NDArray[np.int64]

TOP = 5
"""The places of a list that count: what a reader looks at first."""

HIGHEST = 60_000
"""No price is above .06: capacity turns the order of what is about as good, never of the rest."""

_ROUNDS = 24
_STEP = 16_000
NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """A row for each list: its supplies by number and their scores in millionths.

    Shorter lists are filled up with -1. Numbers are in the order of the supplies' ids.
    """

    supplies: Whole
    scores: Whole

    def leading(self, prices: Whole) -> NDArray[np.bool_]:
        """Mark the pairs among the first `TOP` of their list under some prices."""
        there = self.supplies != NOBODY
        shown = np.maximum(self.scores - prices[self.supplies], 0)
        # One number for the order: the score first, then the earlier supply.
        key = np.where(there, (shown + 1) * len(prices) - self.supplies, 0)
        place = key.shape[1] - TOP
        last = np.partition(key, place, axis=1)[:, [place]]
        return np.asarray(there & (key >= last))


def clear(lists: Lists, capacities: Whole) -> Whole:
    """Return each supply's price in millionths; most are 0.

    `capacities` says in how many lists each supply may be among the first. The prices are those of
    the round with the fewest places above capacity. A list of at most `TOP` supplies leaves no
    choice: it counts as load, but who is in no other list costs nothing.
    """
    prices = np.zeros(len(capacities), np.int64)
    has_choice = (lists.supplies != NOBODY).sum(axis=1) > TOP
    movable = np.isin(np.arange(len(capacities)), lists.supplies[has_choice])
    best, fewest = prices, None
    for step in range(_STEP, 0, -_STEP // _ROUNDS):
        leading = lists.supplies[lists.leading(prices)]
        excess = np.bincount(leading, minlength=len(capacities)) - capacities
        above = int(np.maximum(excess, 0).sum())
        if fewest is None or above < fewest:
            best, fewest = prices, above
        if above == 0:
            break
        share = np.clip(excess * MILLION // capacities, -MILLION, MILLION)
        prices = np.where(movable, np.clip(prices + step * share // MILLION, 0, HIGHEST), 0)
    return best
