"""Matches, diagnosis and overview: answers that need more than one service."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from gateway.api.context import as_response, parallel_parts_of, parts_of
from gateway.usecases import matches, overview
from shared.contracts.base import Contract
from shared.contracts.demands import Demand
from shared.contracts.matches import Diagnosis, Match

router = APIRouter()


class OverviewMatches(Contract):
    """The first fifty matches of the demand."""

    items: list[Match]
    pending: bool = Field(description="True until svc-matching has ranked the demand.")


class OverviewCounts(Contract):
    """How many are shown; null where the part is missing or withheld."""

    matches: int | None
    near_misses: int | None
    remedies: int | None


class DemandOverview(Contract):
    """A demand with everything around it. A part that is down is null and named in `missing`."""

    demand: Demand
    matches: OverviewMatches | None
    diagnosis: Diagnosis | None
    counts: OverviewCounts | None
    partial: bool = Field(description="True when a service did not answer.")
    missing: list[str] = Field(description="The services that did not answer.")
    withheld: list[str] = Field(description="The parts that this caller may not see.")


@router.get("/v1/demands/{demand_id}/matches", include_in_schema=False)
async def get_demand_matches(demand_id: UUID, request: Request) -> Response:
    """Documented by svc-matching, which answers it."""
    answer = await matches.matches_of_demand(parts_of(request), demand_id, request.url.query)
    return as_response(answer)


@router.get("/v1/demands/{demand_id}/diagnosis", include_in_schema=False)
async def get_demand_diagnosis(demand_id: UUID, request: Request) -> Response:
    """Documented by svc-matching, which answers it."""
    answer = await matches.diagnosis_of_demand(parts_of(request), demand_id, request.url.query)
    return as_response(answer)


@router.get("/v1/supplies/{supply_id}/matches", include_in_schema=False)
async def get_supply_matches(supply_id: UUID, request: Request) -> Response:
    """Documented by svc-matching, which answers it."""
    answer = await matches.matches_of_supply(parts_of(request), supply_id, request.url.query)
    return as_response(answer)


@router.get(
    "/v1/demands/{demand_id}/overview",
    summary="Toàn cảnh một nhu cầu · A demand at a glance",
    response_model=DemandOverview,
)
async def get_demand_overview(demand_id: UUID, request: Request) -> Response:
    """A demand, its matches and its diagnosis in one answer.

    When a service is down, its part is null and named in `missing`; parts that the caller may
    not see are null and named in `withheld`. Without the demand itself: 503 with Retry-After.
    """
    return as_response(await overview.overview_of_demand(parallel_parts_of(request), demand_id))
