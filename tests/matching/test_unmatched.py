"""A demand version that nobody has ranked is found, ranked and counted."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update

from svc_matching.storage import tables
from svc_matching.usecases.unmatched import rank_unmatched

World = Any


async def test_a_forgotten_version_is_ranked_and_counted(world: World) -> None:
    tea, demand, other = world.supply(), world.demand(), world.demand()
    await world.tell(tea, demand, other)
    transactions = world.transactions
    assert await rank_unmatched(transactions) == 0
    forgotten = tables.match_run.c.demand_id == demand.aggregate_id
    async with transactions.database.begin() as connection:
        await connection.execute(delete(tables.match_run).where(forgotten))
    assert await rank_unmatched(transactions) == 0  # it has just come

    async with transactions.database.begin() as connection:
        long_ago = transactions.clock() - timedelta(minutes=2)
        await connection.execute(update(tables.item).values(updated_at=long_ago))
    assert await rank_unmatched(transactions) == 1
    assert await rank_unmatched(transactions) == 0
    runs = [
        run for run in await world.rows(tables.match_run) if run.demand_id == demand.aggregate_id
    ]
    assert [run.demand_version for run in runs] == [1]
    listed = [row for row in await world.rows(tables.match) if row.demand_id == demand.aggregate_id]
    assert [row.supply_id for row in listed] == [tea.aggregate_id]
