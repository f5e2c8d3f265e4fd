"""Matches and diagnoses: svc-matching's answer, or «pending» for what it has not met yet.

A demand is published before svc-matching hears of it. Until then, whoever may read its matches
gets an empty pending list, and everybody else the same 404 as ever.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from gateway.clients.parts import Parts, json_answer
from gateway.clients.upstream import Answer
from gateway.domain.paths import Part
from shared.kernel.errors import NotFoundError, not_found

NO_MATCHES_YET: dict[str, Any] = {"items": [], "pending": True, "next_cursor": None}
_OK, _NOT_FOUND = 200, 404


def _no_diagnosis_yet(demand_id: UUID) -> dict[str, Any]:
    return {
        "demand_id": str(demand_id),
        "diagnosis": None,
        "pending": True,
        "demand_version": None,
        "near_misses": [],
        "remedies": [],
        "text": None,
    }


async def matches_of_demand(parts: Parts, demand_id: UUID, query: str = "") -> Answer:
    """Return the demand's list of matches."""
    answer = await parts.ask(Part.MATCHING, f"/v1/demands/{demand_id}/matches", query=query)
    return await _demand_or_pending(parts, answer, demand_id, NO_MATCHES_YET)


async def diagnosis_of_demand(parts: Parts, demand_id: UUID, query: str = "") -> Answer:
    """Return what stands in the demand's way."""
    answer = await parts.ask(Part.MATCHING, f"/v1/demands/{demand_id}/diagnosis", query=query)
    return await _demand_or_pending(parts, answer, demand_id, _no_diagnosis_yet(demand_id))


async def matches_of_supply(parts: Parts, supply_id: UUID, query: str = "") -> Answer:
    """Return the supply's places in the lists of the demands that its owner may see."""
    answer = await parts.ask(Part.MATCHING, f"/v1/supplies/{supply_id}/matches", query=query)
    if answer.status != _NOT_FOUND or answer.code != "supply_unknown":
        return answer
    path = f"/v1/supplies/{supply_id}/transitions"
    refusal = not_found("supply", "nguồn cung")
    return await _pending(parts, Part.SUPPLY, path, NO_MATCHES_YET, refusal)


async def _demand_or_pending(
    parts: Parts, answer: Answer, demand_id: UUID, pending: Mapping[str, Any]
) -> Answer:
    if answer.status != _NOT_FOUND or answer.code != "demand_unknown":
        return answer
    path = f"/v1/demands/{demand_id}/transitions"
    refusal = not_found("demand", "nhu cầu")
    return await _pending(parts, Part.DEMAND, path, pending, refusal)


async def _pending(
    parts: Parts, part: Part, path: str, pending: Mapping[str, Any], refusal: NotFoundError
) -> Answer:
    """The history of a thing is readable by exactly those who may read its matches."""
    history = await parts.ask(part, path)
    if history.status == _OK:
        return json_answer(pending)
    if history.status == _NOT_FOUND:
        raise refusal
    return history
