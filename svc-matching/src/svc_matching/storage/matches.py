"""Match rows: writing lists, and reading them from either side.

What readers see is in the order of the `shown` score, which is the stored one less the capacity
price; what the engine goes on from is as it was stored.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, Select, and_, bindparam, case, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from shared.contracts.matches import MatchState
from svc_matching.domain.items import OPEN
from svc_matching.storage.bulk import among, as_columns, given_rows
from svc_matching.storage.items import seen_by
from svc_matching.storage.prices import joined, shown
from svc_matching.storage.tables import item, match, price


class Place(NamedTuple):
    """A listed pair without its features."""

    match_id: UUID
    supply_id: UUID
    supply_version: int
    score: int
    relevance: int
    reasons: int


_LISTS = (
    select(
        match.c.demand_id,
        match.c.id,
        match.c.supply_id,
        match.c.supply_version,
        match.c.score,
        match.c.relevance,
        match.c.reasons,
    )
    .where(among(match.c.demand_id, "demand_ids"), match.c.listed)
    .order_by(match.c.demand_id, match.c.score.desc(), match.c.supply_id)
)
_HOLDERS = (
    select(match.c.demand_id)
    .distinct()
    .where(among(match.c.supply_id, "supply_ids"), match.c.listed)
)
_IDS = select(match.c.demand_id, match.c.supply_id, match.c.id).where(
    among(match.c.demand_id, "demand_ids")
)


async def read_lists(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, list[Place]]:
    """Return the lists of some demands, best first."""
    found = await connection.execute(_LISTS, {"demand_ids": list(demand_ids)})
    lists: dict[UUID, list[Place]] = {}
    for demand_id, *place in found.all():
        lists.setdefault(demand_id, []).append(Place(*place))
    return lists


async def read_holders(connection: AsyncConnection, supply_ids: Iterable[UUID]) -> set[UUID]:
    """Return the demands that list any of these supplies."""
    return set(await connection.scalars(_HOLDERS, {"supply_ids": list(supply_ids)}))


async def read_ids(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[tuple[UUID, UUID], UUID]:
    """Return the ids of all pairs that these demands ever listed: an id stays with its pair."""
    found = await connection.execute(_IDS, {"demand_ids": list(demand_ids)})
    return {(demand_id, supply_id): match_id for demand_id, supply_id, match_id in found.all()}


_GONE = given_rows((match.c.demand_id, match.c.supply_id))
_LEFT = {
    match.c.listed: False,
    match.c.updated_at: bindparam("now", type_=match.c.updated_at.type),
    match.c.state: case(
        (match.c.state == MatchState.PROPOSED, literal(MatchState.STALE.value)),
        else_=match.c.state,
    ),
}
"""What becomes of a pair that leaves its list."""
_DELIST = (
    update(match)
    .where(match.c.demand_id == _GONE.c.demand_id, match.c.supply_id == _GONE.c.supply_id)
    .values(_LEFT)
)


async def delist(
    connection: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]], now: datetime
) -> None:
    """Take pairs from their lists: a proposal becomes STALE."""
    if pairs:
        gone = as_columns(match, ("demand_id", "supply_id"), pairs)
        await connection.execute(_DELIST, gone | {"now": now})


_GONE_FROM = (
    update(match)
    .where(
        among(match.c.demand_id, "demand_ids"),
        among(match.c.supply_id, "supply_ids"),
        match.c.listed,
    )
    .values(_LEFT)
)


async def delist_gone(
    connection: AsyncConnection,
    demand_ids: Collection[UUID],
    supply_ids: Collection[UUID],
    now: datetime,
) -> None:
    """Take some supplies from the lists of some demands."""
    if demand_ids and supply_ids:
        given = {"demand_ids": list(demand_ids), "supply_ids": list(supply_ids), "now": now}
        await connection.execute(_GONE_FROM, given)


def _rank() -> Any:
    """The place of a row among its demand's listed ones; 0 when it has left the list."""
    other, its_price = match.alias("other"), price.alias("its_price")
    better = or_(
        shown(other, its_price) > _shown,
        and_(shown(other, its_price) == _shown, other.c.supply_id < match.c.supply_id),
    )
    place = (
        select(func.count() + 1)
        .select_from(joined(other, its_price))
        .where(other.c.demand_id == match.c.demand_id, other.c.listed, better)
        .correlate(match, price)
        .scalar_subquery()
    )
    return case((match.c.listed, place), else_=0).label("rank")


_shown = shown(match, price)


def _rows() -> Select[tuple[Any, ...]]:
    columns = select(match, _shown.label("shown"), _rank())
    return columns.select_from(joined(match, price))


def _page() -> Any:
    order = _shown.desc(), match.c.supply_id
    rank = func.row_number().over(order_by=order).label("rank")
    return (
        select(match, _shown.label("shown"), rank)
        .select_from(joined(match, price))
        .where(match.c.demand_id == bindparam("demand_id"), match.c.listed)
        .subquery()
    )


_RANKED = _page()
# From behind a (shown score, supply_id) on; before the first page both are beyond all others.
_PAGE = (
    select(_RANKED)
    .where(
        or_(
            _RANKED.c.shown < bindparam("score"),
            and_(_RANKED.c.shown == bindparam("score"), _RANKED.c.supply_id > bindparam("after")),
        )
    )
    .order_by(_RANKED.c.rank)
    .limit(bindparam("limit"))
)
_FROM_THE_TOP = 2**31 - 1, UUID(int=0)


async def read_page(
    connection: AsyncConnection,
    demand_id: UUID,
    limit: int,
    after: tuple[int, UUID] | None,
) -> Sequence[Row[Any]]:
    """Return a demand's listed rows, best first, from behind (shown score, supply_id) on."""
    score, supply_id = after or _FROM_THE_TOP
    given = {"demand_id": demand_id, "score": score, "after": supply_id, "limit": limit}
    found: Sequence[Row[Any]] = (await connection.execute(_PAGE, given)).all()
    return found


async def read_page_of_supply(
    connection: AsyncConnection,
    supply_id: UUID,
    limit: int,
    after: tuple[int, UUID] | None,
    visibilities: Iterable[Visibility] | None,
    owner: str,
    provinces: Iterable[str] = (),
) -> Sequence[Row[Any]]:
    """Return a supply's listed rows, best first; only of demands that are visible to its owner.

    `visibilities` None means all; see `seen_by`.
    """
    statement = (
        _rows()
        .join(item, item.c.id == match.c.demand_id)
        .where(match.c.supply_id == supply_id, match.c.listed, item.c.status == OPEN)
    )
    if visibilities is not None:
        statement = statement.where(seen_by(visibilities, owner, provinces))
    if after is not None:
        score, demand_id = after
        statement = statement.where(
            or_(
                _shown < score,
                and_(_shown == score, match.c.demand_id > demand_id),
            )
        )
    ordered = statement.order_by(_shown.desc(), match.c.demand_id).limit(limit)
    found: Sequence[Row[Any]] = (await connection.execute(ordered)).all()
    return found


async def read_match(connection: AsyncConnection, match_id: UUID) -> Row[Any] | None:
    found = await connection.execute(_rows().where(match.c.id == match_id))
    row: Row[Any] | None = found.one_or_none()
    return row
