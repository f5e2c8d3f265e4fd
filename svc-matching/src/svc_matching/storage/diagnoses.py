"""Near misses, and where each demand's list and diagnosis stand."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.storage.bulk import among, as_columns, given_rows, upsert_given
from svc_matching.storage.tables import demand_state, item, near_miss

NO_EPOCH = -1
"""What a list is of that waits to be ranked though its epoch has not ended."""


class Miss(NamedTuple):
    """A near miss as it is stored; its figures are made when somebody reads it."""

    demand_id: UUID
    supply_id: UUID
    supply_version: int
    relevance: int
    reasons: int


_STATES = select(demand_state).where(among(demand_state.c.demand_id, "demand_ids"))
_STATE = tuple(column.name for column in demand_state.c)
WRITE_STATES = upsert_given(demand_state, _STATE, key=("demand_id",))
_MISSES = (
    select(*(near_miss.c[name] for name in Miss._fields))
    .where(among(near_miss.c.demand_id, "demand_ids"))
    .order_by(near_miss.c.relevance.desc(), near_miss.c.supply_id)
)
_GONE = given_rows((near_miss.c.demand_id, near_miss.c.supply_id))
_FORGET_MISSES = delete(near_miss).where(
    near_miss.c.demand_id == _GONE.c.demand_id, near_miss.c.supply_id == _GONE.c.supply_id
)
_CONCERNED = union(
    select(near_miss.c.demand_id).where(among(near_miss.c.supply_id, "supply_ids")),
    select(demand_state.c.demand_id).where(among(demand_state.c.witness_id, "supply_ids")),
)


async def read_states(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, Row[Any]]:
    found = await connection.execute(_STATES, {"demand_ids": list(demand_ids)})
    return {row.demand_id: row for row in found}


async def write_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(WRITE_STATES, states_given(rows))


def states_given(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return states as the parameters of `WRITE_STATES`."""
    texts = [row | {"reasons": ",".join(row["reasons"])} for row in rows]
    return as_columns(demand_state, _STATE, [[row[name] for name in _STATE] for row in texts])


async def read_near_misses(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, list[Miss]]:
    """Return the near misses of some demands, most relevant first."""
    found = await connection.execute(_MISSES, {"demand_ids": list(demand_ids)})
    misses: dict[UUID, list[Miss]] = {}
    for row in found.all():
        misses.setdefault(row.demand_id, []).append(Miss(*row))
    return misses


async def forget_near_misses(
    connection: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]]
) -> None:
    if pairs:
        gone = as_columns(near_miss, ("demand_id", "supply_id"), pairs)
        await connection.execute(_FORGET_MISSES, gone)


async def read_concerned(connection: AsyncConnection, supply_ids: Iterable[UUID]) -> set[UUID]:
    """Return the demands that have any of these supplies as a near miss or as their witness."""
    return set(await connection.scalars(_CONCERNED, {"supply_ids": list(supply_ids)}))


_POSTPONE = (
    update(demand_state)
    .where(
        among(demand_state.c.demand_id, "demand_ids"),
        demand_state.c.is_open,
        demand_state.c.index_epoch == bindparam("epoch"),
    )
    .values(index_epoch=NO_EPOCH)
)


async def postpone(connection: AsyncConnection, demand_ids: Collection[UUID], epoch: int) -> None:
    """Let lists of this epoch be pending, to be ranked anew."""
    await connection.execute(_POSTPONE, {"demand_ids": list(demand_ids), "epoch": epoch})


def _is_pending(epoch: int) -> Any:
    return or_(
        demand_state.c.demand_id.is_(None),
        demand_state.c.index_epoch != epoch,
        demand_state.c.demand_version != item.c.version,
        ~demand_state.c.is_open,
    )


async def read_pending(connection: AsyncConnection, epoch: int, limit: int) -> list[UUID]:
    """Return open demands whose list is not of this epoch or not of their newest version."""
    found = await connection.scalars(
        select(item.c.id)
        .outerjoin(demand_state, demand_state.c.demand_id == item.c.id)
        .where(item.c.kind == ItemKind.DEMAND, item.c.status == OPEN, _is_pending(epoch))
        .order_by(item.c.id)
        .limit(limit)
    )
    return list(found)


async def count_pending(connection: AsyncConnection, epoch: int) -> int:
    counted = await connection.scalar(
        select(func.count())
        .select_from(item)
        .outerjoin(demand_state, demand_state.c.demand_id == item.c.id)
        .where(item.c.kind == ItemKind.DEMAND, item.c.status == OPEN, _is_pending(epoch))
    )
    return int(counted or 0)
