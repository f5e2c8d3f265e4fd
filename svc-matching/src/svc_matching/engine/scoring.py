"""The product formula, for a block of pairs, and its exact breakdown.

score = relevance × (base + suitability_share × suitability + feasibility_share × feasibility).
Multiplied out it is a plain sum, and the sum is kept exact in whole millionths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine import choosing, close_look
from svc_matching.engine.arrays import Known, Slots, Values
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.gates import GATE_BITS
from svc_matching.engine.look_types import About, Formula, Looks, Want
from svc_matching.engine.quantities import Range
from svc_matching.engine.wants import needs_of
from svc_matching.engine.weights import COMPONENTS, MILLION, RELEVANCE, Weights

Millionths = NDArray[np.int32]

_ROUNDING = 1e-6
"""So much below the line a relevance may be that is on it in whole millionths."""


def millionths(values: Values) -> Millionths:
    return np.rint(MILLION * values).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some pairs, those of one demand after the other, and what a close look finds of them."""

    slots: Slots
    looks: Looks

    @classmethod
    def of(cls, slots: Slots) -> Self:
        """Return pairs that nobody has looked at yet."""
        count, shape = len(slots), (len(slots), len(COMPONENTS))
        looks = Looks(
            values=np.empty(shape),
            known=np.empty(shape, np.bool_),
            relevance=np.empty(count),
            scores=np.empty(count, np.int32),
            reasons=np.empty(count, np.uint16),
        )
        return cls(slots, looks)


class Scorer:
    """Looks closely at blocks of pairs under one set of weights."""

    def __init__(self, columns: SupplyColumns, weights: Weights) -> None:
        self._columns = columns
        self._weights = weights

    @lru_cache(maxsize=1)  # noqa: B019 - a scorer lives as long as its engine's weights
    def formula(self, year: int) -> Formula:
        weights = self._weights
        return Formula(
            base=weights.base,
            suitability_share=weights.suitability_share,
            feasibility_share=weights.feasibility_share,
            relevance=np.array(weights.relevance),
            suitability=np.array(weights.suitability),
            feasibility=np.array(weights.feasibility),
            oldest=year - weights.used_age_years,
        )

    def look(
        self,
        want: Want,
        needs: Sequence[Range],
        about: About,
        formula: Formula,
        block: Block,
        first: int,
    ) -> None:
        """Look at the pairs of one demand; in `block` they begin at `first`."""
        columns = self._columns
        close_look.look(
            want,
            needs_of(needs, columns.measures),
            columns.supplies,
            columns.measured,
            about,
            formula,
            first,
            block.looks,
        )

    def promising(self, block: Block, starts: Slots) -> Slots:
        """Return the pairs that could be listed, be a near miss or be the witness of their demand.

        `starts` are where each demand's pairs begin, and the end of the last.
        """
        weights, chosen = self._weights, np.zeros(len(block.slots), np.bool_)
        bounds = weights.floor, weights.relevant - _ROUNDING
        sizes = weights.list_size, weights.near_misses
        choosing.choose(starts, block.looks, GATE_BITS, *bounds, *sizes, chosen)
        return np.flatnonzero(chosen)


def effective_weights(known: Known, weights: Weights) -> Values:
    """Return each component's weight in each pair (a row); a row always adds up to 1."""
    about = np.tile(weights.relevance, (len(known), 1))
    for place in range(1, len(RELEVANCE)):
        about[:, 0] += np.where(known[:, place], 0.0, about[:, place])
        about[:, place] *= known[:, place]
    others = [weights.suitability_share * weight for weight in weights.suitability]
    others += [weights.feasibility_share * weight for weight in weights.feasibility]
    return np.hstack([weights.base * about, np.tile(others, (len(known), 1))])


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The components of some pairs, a row for each pair; all in millionths."""

    values: Millionths
    weights: Millionths
    contributions: Millionths
    known: Known


def break_down(
    scores: Millionths, about: Values, values: Values, known: Known, weights: Weights
) -> Breakdown:
    """Divide each score among its components so that the contributions add up to it exactly.

    Each gets the whole millionths of its share; the rest goes to the largest remainders, the
    earlier component first.
    """
    effective = effective_weights(known, weights)
    # A relevance component adds its own part; the others add their value times the relevance.
    parts = effective * values
    parts[:, len(RELEVANCE) :] *= about[:, np.newaxis]
    parts[~parts.any(axis=1), 0] = 1.0
    # A running sum, because its last bit does not depend on how many there are.
    shares = scores[:, np.newaxis] * parts / parts.cumsum(axis=1)[:, -1:]
    whole = np.floor(shares)
    order = np.argsort(whole - shares, axis=1, kind="stable")
    left = scores - whole.sum(axis=1).astype(np.int64)
    more = np.arange(len(COMPONENTS)) < left[:, np.newaxis]
    whole[np.arange(len(order))[:, np.newaxis], order] += more
    return Breakdown(millionths(values), millionths(effective), whole.astype(np.int32), known)


def confidence(known: Known, weights: Weights) -> Millionths:
    """Return the weight share of what is known in each pair; sides count their full weight."""
    return millionths((known * _all_weights(weights)).sum(axis=1))


@lru_cache(maxsize=8)
def _all_weights(weights: Weights) -> Values:
    """Return the weights of a pair of which everything is known."""
    return effective_weights(np.ones((1, len(COMPONENTS)), np.bool_), weights)
