"""The product formula, for a block of pairs, and its exact breakdown.

score = relevance × (base + suitability_share × suitability + feasibility_share × feasibility).
Multiplied out it is a plain sum, and the sum is kept exact in whole millionths.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.components import Column, Components, Known, Rows, Slots, Values
from svc_matching.engine.facts import DemandFacts
from svc_matching.engine.gates import Gates, Mask
from svc_matching.engine.quantities import Fit, fit
from svc_matching.engine.wants import Wants
from svc_matching.engine.weights import COMPONENTS, MILLION, RELEVANCE, Weights

Millionths = NDArray[np.int32]


def relevance(terms: Values, sides: Sequence[Column], weights: Weights) -> Values:
    """Blend the terms with their four sides; an unknown side leaves it to the terms."""
    total = weights.relevance[0] * terms
    for weight, (values, known) in zip(weights.relevance[1:], sides, strict=True):
        if weight:
            total += weight * np.where(known, values, terms)
    return np.minimum(total, 1.0)


def millionths(values: Values) -> Millionths:
    return np.rint(MILLION * values).astype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The scores of some pairs; each column is a component."""

    slots: Slots
    relevance: Values
    scores: Millionths
    reasons: Mask
    columns: tuple[Column, ...]

    def components(self, places: Slots) -> tuple[Values, Known]:
        """Return the components of some pairs, a row for each pair: values and whether known."""
        values = np.stack([values[places] for values, _ in self.columns], axis=1)
        return values, np.stack([known[places] for _, known in self.columns], axis=1)


class Scorer:
    """Scores blocks of pairs."""

    def __init__(self, columns: SupplyColumns, weights: Weights) -> None:
        self._columns = columns
        self._components = Components(columns)
        self._gates = Gates(columns, weights.used_age_years)
        self._weights = weights

    def _fits(self, demands: Sequence[DemandFacts], rows: Rows, slots: Slots) -> dict[int, Fit]:
        fits = {}
        for row, demand in enumerate(demands):
            stated = self._columns.measured(demand.needs)
            if not stated:
                continue
            first, last = np.searchsorted(rows, (row, row + 1))
            for place, slot in enumerate(slots[first:last].tolist(), start=int(first)):
                if any(slot in slots_of for slots_of in stated):
                    fits[place] = fit(demand.needs, self._columns.facts[slot].haves)
        return fits

    def block(
        self,
        demands: Sequence[DemandFacts],
        rows: Rows,
        slots: Slots,
        terms: Values,
        sides: Sequence[Column],
        year: int,
    ) -> Block:
        """Score the pairs of `demands[rows]`, in rising rows, with the supplies in `slots`.

        `terms` and `sides` are the columns of their relevance.
        """
        weights = self._weights
        wants = Wants.of(demands, self._columns)
        fits = self._fits(demands, rows, slots)
        suited = list(self._components.suitability(wants, rows, slots, fits))
        feasible = list(self._components.feasibility(wants, rows, slots))
        about = relevance(terms, sides, weights)
        multiplier = (
            weights.base
            + weights.suitability_share * _mean(suited, weights.suitability)
            + weights.feasibility_share * _mean(feasible, weights.feasibility)
        )
        certain = (terms, np.ones(len(slots), np.bool_))
        return Block(
            slots=slots,
            relevance=about,
            scores=millionths(about * np.minimum(multiplier, 1.0)),
            reasons=self._gates.reasons(wants, rows, slots, fits, year),
            columns=(certain, *sides, *suited, *feasible),
        )


def _mean(columns: Sequence[Column], weights: Sequence[float]) -> Values:
    total = weights[0] * columns[0][0]
    for weight, (values, _) in zip(weights[1:], columns[1:], strict=True):
        total += weight * values
    return total


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
