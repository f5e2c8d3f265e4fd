"""Match rows: writing lists, and reading them from either side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, case, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from shared.contracts.matches import MatchState
from svc_matching.domain.items import OPEN
from svc_matching.storage.tables import item, match, match_run


@dataclass(frozen=True, slots=True)
class Place:
    """A listed pair without its features."""

    match_id: UUID
    supply_id: UUID
    supply_version: int
    score: int
    relevance: int
    reasons: int


async def read_lists(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, list[Place]]:
    """Return the lists of some demands, best first."""
    found = await connection.execute(
        select(
            match.c.demand_id,
            match.c.id,
            match.c.supply_id,
            match.c.supply_version,
            match.c.score,
            match.c.relevance,
            match.c.reasons,
        )
        .where(match.c.demand_id.in_(list(demand_ids)), match.c.listed)
        .order_by(match.c.demand_id, match.c.score.desc(), match.c.supply_id)
    )
    lists: dict[UUID, list[Place]] = {}
    for demand_id, *place in found.all():
        lists.setdefault(demand_id, []).append(Place(*place))
    return lists


async def read_holders(connection: AsyncConnection, supply_ids: Iterable[UUID]) -> set[UUID]:
    """Return the demands that list any of these supplies."""
    found = await connection.scalars(
        select(match.c.demand_id).where(match.c.supply_id.in_(list(supply_ids)), match.c.listed)
    )
    return set(found)


async def read_ids(
    connection: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], UUID]:
    """Return the ids of the pairs that have ever been listed: an id stays with its pair."""
    if not pairs:
        return {}
    found = await connection.execute(
        select(match.c.demand_id, match.c.supply_id, match.c.id).where(
            match.c.demand_id.in_({demand_id for demand_id, _ in pairs}),
            match.c.supply_id.in_({supply_id for _, supply_id in pairs}),
        )
    )
    return {(row.demand_id, row.supply_id): row.id for row in found}


_KEPT = ("id", "demand_id", "supply_id", "created_at")


async def write(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """List pairs; a stale one is proposed again, what people decided about it stays."""
    if not rows:
        return
    statement = insert(match)
    changed: dict[str, Any] = {
        column.name: statement.excluded[column.name]
        for column in match.c
        if column.name not in _KEPT
    }
    changed["state"] = case(
        (match.c.state == MatchState.STALE, literal(MatchState.PROPOSED.value)),
        else_=match.c.state,
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[match.c.demand_id, match.c.supply_id], set_=changed
        ),
        list(rows),
    )


async def delist(
    connection: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]], now: datetime
) -> None:
    """Take pairs from their lists: a proposal becomes STALE."""
    if not pairs:
        return
    await connection.execute(
        update(match)
        .where(tuple_(match.c.demand_id, match.c.supply_id).in_(list(pairs)))
        .values(
            listed=False,
            updated_at=now,
            state=case(
                (match.c.state == MatchState.PROPOSED, literal(MatchState.STALE.value)),
                else_=match.c.state,
            ),
        )
    )


async def write_runs(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Note that demand versions were ranked: once in every epoch, however often it is done."""
    if rows:
        await connection.execute(insert(match_run).on_conflict_do_nothing(), list(rows))


def _rank() -> Any:
    """The place of a row among its demand's listed ones; 0 when it has left the list."""
    other = match.alias("other")
    better = or_(
        other.c.score > match.c.score,
        and_(other.c.score == match.c.score, other.c.supply_id < match.c.supply_id),
    )
    place = (
        select(func.count() + 1)
        .where(other.c.demand_id == match.c.demand_id, other.c.listed, better)
        .scalar_subquery()
    )
    return case((match.c.listed, place), else_=0).label("rank")


def _rows() -> Select[tuple[Any, ...]]:
    return select(match, _rank())


async def read_page(
    connection: AsyncConnection,
    demand_id: UUID,
    limit: int,
    after: tuple[int, UUID] | None,
) -> Sequence[Row[Any]]:
    """Return a demand's listed rows, best first, from behind (score, supply_id) on."""
    statement = _rows().where(match.c.demand_id == demand_id, match.c.listed)
    if after is not None:
        score, supply_id = after
        statement = statement.where(
            or_(
                match.c.score < score,
                and_(match.c.score == score, match.c.supply_id > supply_id),
            )
        )
    ordered = statement.order_by(match.c.score.desc(), match.c.supply_id).limit(limit)
    found: Sequence[Row[Any]] = (await connection.execute(ordered)).all()
    return found


async def read_page_of_supply(
    connection: AsyncConnection,
    supply_id: UUID,
    limit: int,
    after: tuple[int, UUID] | None,
    visibilities: Iterable[Visibility] | None,
    owner: str,
) -> Sequence[Row[Any]]:
    """Return a supply's listed rows, best first; only of demands that are visible to its owner.

    `visibilities` None means all. The demand's own tenant always sees it.
    """
    statement = (
        _rows()
        .join(item, item.c.id == match.c.demand_id)
        .where(match.c.supply_id == supply_id, match.c.listed, item.c.status == OPEN)
    )
    if visibilities is not None:
        statement = statement.where(
            or_(item.c.visibility.in_(list(visibilities)), item.c.owner == owner)
        )
    if after is not None:
        score, demand_id = after
        statement = statement.where(
            or_(
                match.c.score < score,
                and_(match.c.score == score, match.c.demand_id > demand_id),
            )
        )
    ordered = statement.order_by(match.c.score.desc(), match.c.demand_id).limit(limit)
    found: Sequence[Row[Any]] = (await connection.execute(ordered)).all()
    return found


async def read_match(connection: AsyncConnection, match_id: UUID) -> Row[Any] | None:
    found = await connection.execute(_rows().where(match.c.id == match_id))
    row: Row[Any] | None = found.one_or_none()
    return row
