"""Capacity prices: kept by epoch, taken off when lists are read."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Join,
    and_,
    bindparam,
    cast,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import ItemKind
from svc_matching.storage.bulk import among, as_columns, as_fixed, insert_given
from svc_matching.storage.epochs import KEPT
from svc_matching.storage.tables import demand_state, epoch, item, match, price

_PORTION = 10_000


def joined(matches: FromClause, prices: FromClause) -> Join:
    """Return matches beside the price of their supply in their epoch; most have none."""
    return matches.outerjoin(
        prices,
        and_(
            prices.c.index_epoch == matches.c.index_epoch,
            prices.c.supply_id == matches.c.supply_id,
        ),
    )


def shown(matches: FromClause, prices: FromClause) -> ColumnElement[int]:
    """Return the score that a reader sees: less the price, and never below 0."""
    return func.greatest(matches.c.score - func.coalesce(prices.c.price, 0), 0)


_OF_SUPPLIES = select(price.c.supply_id, price.c.price).where(
    price.c.index_epoch == bindparam("index_epoch"), among(price.c.supply_id, "supply_ids")
)
_LISTED = (
    select(match.c.demand_id, match.c.supply_id, match.c.score)
    .join(demand_state, demand_state.c.demand_id == match.c.demand_id)
    .where(
        match.c.listed,
        demand_state.c.is_open,
        demand_state.c.index_epoch == bindparam("index_epoch"),
    )
    .order_by(match.c.demand_id)
)
_CAPACITIES = select(
    item.c.id, cast(item.c.profile["capacity"].astext, Integer).label("capacity")
).where(item.c.kind == ItemKind.SUPPLY, item.c.profile["capacity"].astext.is_not(None))
_PRICED = select(epoch.c.priced_at.is_not(None)).where(epoch.c.number == bindparam("number"))
_MARK = (
    update(epoch)
    .where(epoch.c.number == bindparam("its_number"), epoch.c.priced_at.is_(None))
    .values(priced_at=bindparam("now"))
    .returning(epoch.c.number)
)
_WRITE = insert_given(price, ("supply_id", "price"), ("index_epoch",))


async def read_prices(
    connection: AsyncConnection, index_epoch: int, supply_ids: Iterable[UUID]
) -> dict[UUID, int]:
    """Return the prices of those supplies that have one."""
    given = {"index_epoch": index_epoch, "supply_ids": list(supply_ids)}
    return {row.supply_id: row.price for row in await connection.execute(_OF_SUPPLIES, given)}


async def stream_listed(
    connection: AsyncConnection, index_epoch: int
) -> AsyncIterator[Sequence[Any]]:
    """Yield (demand, supply, score) of all lists of an epoch, demand by demand, in portions."""
    rows = await connection.stream(_LISTED, {"index_epoch": index_epoch})
    async for portion in rows.partitions(_PORTION):
        yield portion


async def read_capacities(connection: AsyncConnection) -> dict[UUID, int]:
    """Return how many transfers at a time those supplies can take on that say so."""
    found = await connection.execute(_CAPACITIES)
    return {row.id: row.capacity for row in found}


async def is_priced(connection: AsyncConnection, number: int) -> bool:
    """Whether an epoch has its prices; True when there is no such epoch."""
    found = await connection.scalar(_PRICED, {"number": number})
    return found is not False


async def write_prices(
    connection: AsyncConnection, number: int, prices: Mapping[UUID, int], now: datetime
) -> bool:
    """Write an epoch's prices, once; False when it has them already. Old epochs' are deleted."""
    marked = await connection.scalar(_MARK, {"its_number": number, "now": now})
    if marked is None:
        return False
    given = as_columns(price, ("supply_id", "price"), list(prices.items()))
    await connection.execute(_WRITE, given | as_fixed(price, {"index_epoch": number}))
    await connection.execute(delete(price).where(price.c.index_epoch <= number - KEPT))
    return True


async def forget_prices(connection: AsyncConnection) -> None:
    """Delete all prices; the next epoch, or this one, may be priced anew."""
    await connection.execute(delete(price))
    await connection.execute(
        update(epoch).where(epoch.c.priced_at.is_not(None)).values(priced_at=None)
    )
