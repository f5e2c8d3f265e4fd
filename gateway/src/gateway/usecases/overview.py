"""A demand with its matches and its diagnosis in one answer, even when a part is down."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.clients.parts import Parts, json_answer
from gateway.clients.upstream import Answer
from gateway.domain.paths import Part
from gateway.usecases.matches import diagnosis_of_demand, matches_of_demand
from shared.kernel.errors import KetnoiError, NotFoundError
from shared.telemetry import get_logger

log = get_logger("overview")

FIRST = "limit=50"
"""A demand's list holds twenty matches, and those that have left it."""
_OK = 200
_WITHHELD = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True)
class _Found:
    """A part's document, or why it is not there."""

    document: Any = None
    missing: bool = False
    withheld: bool = False


async def overview_of_demand(parts: Parts, demand_id: UUID) -> Answer:
    """Return what can be had; only the demand itself is indispensable.

    `missing` names the services that did not answer, `withheld` what this caller may not see.
    """
    async with asyncio.TaskGroup() as group:
        demand = group.create_task(_or_refusal(parts.ask(Part.DEMAND, f"/v1/demands/{demand_id}")))
        matches_task = group.create_task(_found(matches_of_demand(parts, demand_id, FIRST)))
        diagnosis_task = group.create_task(_found(diagnosis_of_demand(parts, demand_id)))
    answer, matches, diagnosis = demand.result(), matches_task.result(), diagnosis_task.result()
    if isinstance(answer, KetnoiError):
        raise answer
    if answer.status != _OK:
        return answer
    missing = [str(Part.MATCHING)] if matches.missing or diagnosis.missing else []
    named = {"matches": matches, "diagnosis": diagnosis}
    return json_answer(
        {
            "demand": answer.body(),
            "matches": _list(matches.document),
            "diagnosis": diagnosis.document,
            "counts": _counts(matches.document, diagnosis.document),
            "partial": bool(missing),
            "missing": missing,
            "withheld": [name for name, part in named.items() if part.withheld],
        }
    )


async def _or_refusal(answer: Awaitable[Answer]) -> Answer | KetnoiError:
    try:
        return await answer
    except KetnoiError as error:
        return error


async def _found(asked: Awaitable[Answer]) -> _Found:
    answer = await _or_refusal(asked)
    if isinstance(answer, NotFoundError):
        return _Found(withheld=True)
    if isinstance(answer, KetnoiError):
        return _Found(missing=True)
    if answer.status in _WITHHELD:
        return _Found(withheld=True)
    document = answer.body() if answer.status == _OK else None
    if document is None:
        log.warning("part_unreadable", status=answer.status, code=answer.code)
    return _Found(document, missing=not isinstance(document, dict))


def _list(page: Any) -> dict[str, Any] | None:
    return page and {"items": page["items"], "pending": page["pending"]}


def _counts(matches: Any, diagnosis: Any) -> dict[str, int | None] | None:
    if matches is None and diagnosis is None:
        return None
    return {
        "matches": len(matches["items"]) if matches else None,
        "near_misses": len(diagnosis["near_misses"]) if diagnosis else None,
        "remedies": len(diagnosis["remedies"]) if diagnosis else None,
    }
