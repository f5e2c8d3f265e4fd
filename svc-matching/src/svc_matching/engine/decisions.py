"""What people decided about matches, as the weights are fitted to it."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from shared.contracts.matches import MatchState
from svc_matching.engine.arrays import NEUTRAL
from svc_matching.engine.features import values_of
from svc_matching.engine.weights import COMPONENTS, MILLION, RELEVANCE

CHOSEN = (MatchState.SHORTLISTED, MatchState.ENGAGED)
DECIDED = (*CHOSEN, MatchState.DISMISSED)
"""Proposals that nobody touched say nothing: perhaps nobody looked."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Decision(BaseModel):
    """A decided match: one line of an exported file. A component that was not known is null."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    demand_id: UUID
    supply_id: UUID
    decision: Literal[MatchState.SHORTLISTED, MatchState.ENGAGED, MatchState.DISMISSED]
    components: dict[str, Share | None]

    @field_validator("components")
    @classmethod
    def _complete(cls, given: dict[str, float | None]) -> dict[str, float | None]:
        if given.keys() != set(COMPONENTS):
            raise ValueError(f"components must be exactly {', '.join(COMPONENTS)}")
        if given["terms"] is None:
            raise ValueError("terms are always known")
        return given

    @property
    def is_chosen(self) -> bool:
        return self.decision in CHOSEN


def decision_of(demand_id: UUID, supply_id: UUID, state: str, packed: bytes) -> Decision:
    """Return the decision that a row of `match` holds, with its stored components."""
    values = [None if value is None else value / MILLION for value in values_of(packed)]
    return Decision.model_validate(
        {
            "demand_id": demand_id,
            "supply_id": supply_id,
            "decision": state,
            "components": dict(zip(COMPONENTS, values, strict=True)),
        }
    )


def read_decisions(lines: Iterable[str | bytes], limit: int) -> list[Decision]:
    """Read an exported file; ValueError names the first line that is not as it must be."""
    found: dict[tuple[UUID, UUID], Decision] = {}
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        if len(found) == limit:
            raise ValueError(f"more than {limit:,} decisions; keep the newest")
        try:
            decision = Decision.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"line {number}: {where} {first['msg']}".strip()) from error
        pair = decision.demand_id, decision.supply_id
        if pair in found:
            raise ValueError(f"line {number}: this pair was decided on a line before")
        found[pair] = decision
    return list(found.values())


Values = NDArray[np.float64]


def as_factors(decisions: Sequence[Decision]) -> tuple[Values, Values]:
    """Return the two factors of each score before they are weighed.

    The first are the parts of the relevance, where an unknown side counts as the terms; the second
    a 1 for the base, then suitability and feasibility, where the unknown counts a half.
    """
    given = np.array(
        [[decision.components[name] for name in COMPONENTS] for decision in decisions], np.float64
    ).reshape(len(decisions), len(COMPONENTS))
    about, others = given[:, : len(RELEVANCE)], given[:, len(RELEVANCE) :]
    about = np.where(np.isnan(about), about[:, :1], about)
    others = np.where(np.isnan(others), NEUTRAL, others)
    return about, np.hstack([np.ones((len(given), 1)), others])
