"""The product formula, for a block of pairs, and its exact breakdown for one pair.

score = relevance × (base + suitability_share × suitability + feasibility_share × feasibility).
Multiplied out it is a plain sum, and the sum is kept exact in whole millionths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.components import Column, Components, Slots, Values
from svc_matching.engine.facts import DemandFacts
from svc_matching.engine.gates import Gates, Mask
from svc_matching.engine.quantities import Fit, fit
from svc_matching.engine.weights import COMPONENTS, MILLION, RELEVANCE, Weights

Millionths = NDArray[np.int32]


def relevance(terms: Values, sides: Sequence[Column], weights: Weights) -> Values:
    """Blend the terms with fields, industries and IPC; an unknown side leaves it to the terms."""
    total = weights.relevance[0] * terms
    for weight, (values, known) in zip(weights.relevance[1:], sides, strict=True):
        total = total + weight * np.where(known, values, terms)
    return np.minimum(total, 1.0)


def millionths(values: Values) -> Millionths:
    return np.rint(MILLION * values).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Block:
    """The scores of one demand with some supplies; rows of `values` and `known` are components."""

    slots: Slots
    relevance: Values
    scores: Millionths
    reasons: Mask
    values: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Summand:
    """One component's part of a score, in millionths."""

    name: str
    value: int
    weight: int
    contribution: int
    known: bool


class Scorer:
    """Scores blocks of supplies for one demand."""

    def __init__(self, columns: SupplyColumns, weights: Weights) -> None:
        self._columns = columns
        self._components = Components(columns)
        self._gates = Gates(columns, weights.used_age_years)
        self._weights = weights

    def _fits(self, demand: DemandFacts, slots: Slots) -> dict[int, Fit]:
        if not demand.needs:
            return {}
        facts = self._columns.facts
        return {
            slot: fit(demand.needs, facts[slot].haves)
            for slot in slots.tolist()
            if facts[slot].haves
        }

    def block(
        self,
        demand: DemandFacts,
        slots: Slots,
        terms: Values,
        sides: Sequence[Column],
        year: int,
    ) -> Block:
        """Score the supplies in `slots`; `terms` and `sides` are their relevance columns."""
        weights = self._weights
        fits = self._fits(demand, slots)
        suited = list(self._components.suitability(demand, slots, fits))
        feasible = list(self._components.feasibility(demand, slots))
        about = relevance(terms, sides, weights)
        multiplier = (
            weights.base
            + weights.suitability_share * _mean(suited, weights.suitability)
            + weights.feasibility_share * _mean(feasible, weights.feasibility)
        )
        certain = (terms, np.ones(len(slots), np.bool_))
        columns = [certain, *sides, *suited, *feasible]
        return Block(
            slots=slots,
            relevance=about,
            scores=millionths(about * np.minimum(multiplier, 1.0)),
            reasons=self._gates.reasons(demand, slots, fits, year),
            values=np.array([values for values, _ in columns]),
            known=np.array([known for _, known in columns]),
        )


def _mean(columns: Sequence[Column], weights: Sequence[float]) -> Values:
    total = weights[0] * columns[0][0]
    for weight, (values, _) in zip(weights[1:], columns[1:], strict=True):
        total = total + weight * values
    return total


def effective_weights(known: Sequence[bool], weights: Weights) -> list[float]:
    """Return each component's weight in this pair; the weights of a pair always add up to 1."""
    about = list(weights.relevance)
    for place in range(1, len(RELEVANCE)):
        if not known[place]:
            about[0] += about[place]
            about[place] = 0.0
    return [
        *(weights.base * weight for weight in about),
        *(weights.suitability_share * weight for weight in weights.suitability),
        *(weights.feasibility_share * weight for weight in weights.feasibility),
    ]


def break_down(
    score: int, about: float, values: Sequence[float], known: Sequence[bool], weights: Weights
) -> list[Summand]:
    """Divide `score` among the components so that their contributions add up to it exactly.

    Each gets the whole millionths of its share; the rest goes to the largest remainders, the
    earlier component first.
    """
    effective = effective_weights(known, weights)
    # A relevance component adds its own part; the others add their value times the relevance.
    parts = [
        weight * value * (1.0 if place < len(RELEVANCE) else about)
        for place, (weight, value) in enumerate(zip(effective, values, strict=True))
    ]
    total = sum(parts)
    if not total:
        parts[0] = total = 1.0
    shares = [score * part / total for part in parts]
    whole = [int(share) for share in shares]
    order = sorted(range(len(parts)), key=lambda place: (whole[place] - shares[place], place))
    for place in order[: score - sum(whole)]:
        whole[place] += 1
    return [
        Summand(name, round(MILLION * value), round(MILLION * weight), given, sure)
        for name, value, weight, given, sure in zip(
            COMPONENTS, values, effective, whole, known, strict=True
        )
    ]


def confidence(known: Sequence[bool], weights: Weights) -> int:
    """Return the weight share of what is known, in millionths; sides count their full weight."""
    everything = effective_weights([True] * len(COMPONENTS), weights)
    return round(MILLION * sum(w for w, sure in zip(everything, known, strict=True) if sure))
