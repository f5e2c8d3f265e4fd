"""The change is committed first; its events follow in a transaction of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.db.bulk import insert_many
from shared.outbox import work

_hand_over = work.UnitOfWork.hand_over


@asynccontextmanager
async def _begin(self: work.Transactions) -> AsyncIterator[work.UnitOfWork]:
    async with self.database.begin() as connection:
        unit = work.UnitOfWork(connection, self.clock)
        unit.db_epoch = await self._epoch(connection)
        yield unit
    if unit.has_events:
        work.crash_point("outbox_committed")
        async with self.database.begin() as connection:
            await insert_many(connection, self.tables.outbox, _hand_over(unit))
    for action in unit._after_commit:
        action()
    if unit.has_events:
        self._wake()


work.UnitOfWork.hand_over = lambda _: []
work.Transactions.begin = work.Transactions.single = _begin
