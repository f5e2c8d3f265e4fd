"""Near misses, and where each demand's list and diagnosis stand."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.storage.tables import demand_state, item, near_miss


async def read_states(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, Row[Any]]:
    found = await connection.execute(
        select(demand_state).where(demand_state.c.demand_id.in_(list(demand_ids)))
    )
    return {row.demand_id: row for row in found}


async def write_states(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    statement = insert(demand_state)
    changed = {
        column.name: statement.excluded[column.name]
        for column in demand_state.c
        if column.name != "demand_id"
    }
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[demand_state.c.demand_id], set_=changed),
        list(rows),
    )


async def read_near_misses(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, list[Row[Any]]]:
    """Return the near misses of some demands, most relevant first."""
    found = await connection.execute(
        select(near_miss)
        .where(near_miss.c.demand_id.in_(list(demand_ids)))
        .order_by(near_miss.c.relevance.desc(), near_miss.c.supply_id)
    )
    misses: dict[UUID, list[Row[Any]]] = {}
    for row in found.all():
        misses.setdefault(row.demand_id, []).append(row)
    return misses


async def write_near_misses(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    statement = insert(near_miss)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[near_miss.c.demand_id, near_miss.c.supply_id],
            set_={name: statement.excluded[name] for name in ("relevance", "reasons", "figures")},
        ),
        list(rows),
    )


async def forget_near_misses(
    connection: AsyncConnection, pairs: Sequence[tuple[UUID, UUID]]
) -> None:
    if pairs:
        await connection.execute(
            delete(near_miss).where(
                tuple_(near_miss.c.demand_id, near_miss.c.supply_id).in_(list(pairs))
            )
        )


async def read_concerned(connection: AsyncConnection, supply_ids: Iterable[UUID]) -> set[UUID]:
    """Return the demands that have any of these supplies as a near miss or as their witness."""
    ids = list(supply_ids)
    missed = await connection.scalars(
        select(near_miss.c.demand_id).where(near_miss.c.supply_id.in_(ids))
    )
    found = set(missed)
    witnessed = await connection.scalars(
        select(demand_state.c.demand_id).where(demand_state.c.witness_id.in_(ids))
    )
    return found | set(witnessed)


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
