"""Transactions that keep the index and the tables saying the same.

Every transaction that may change the index runs alone, says beforehand what it touches, and so
leaves a list of doubts when it fails; the next one reads those items again before it begins.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import Database
from shared.kernel.clock import Clock, utc_now
from shared.outbox import MessagingTables, Transactions, UnitOfWork
from svc_matching.usecases.matcher import Matcher


class MatchingTransactions(Transactions):
    """Transactions one at a time, each beginning with an index that is true to the tables."""

    def __init__(
        self,
        database: Database,
        tables: MessagingTables,
        source: str,
        matcher: Matcher,
        *,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(database, tables, source, clock=clock)
        self.matcher = matcher

    async def warm_up(self, *, thoroughly: bool = False) -> None:
        """Load the index, which takes a transaction; thoroughly: the open demands, too."""
        if not self.matcher.loaded:
            async with self.begin():
                pass
        if thoroughly:
            async with self.begin() as work:
                await self.matcher.need_demands(work.connection)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction when the one before has ended; see `Transactions.begin`."""
        async with self.matcher.lock, super().begin() as work:
            is_start = not self.matcher.loaded
            await self.matcher.prepare(work.connection)
            work.after_commit(self.matcher.settle)
            if is_start and self.matcher.rules_changed:
                # Read or weighed otherwise than before: nothing of that goes into the old epoch.
                await self.matcher.open_epoch(work)
            yield work

    def aside(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a transaction that changes nothing of what the index is made of; it waits for none.

        It needs no index either.
        """
        return super().begin()

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """Open a moment between two transactions, in which index and tables say the same.

        Nobody may change either in it. The index must be loaded: that takes a transaction.
        """
        async with self.matcher.lock, self.read() as connection:
            await self.matcher.prepare(connection)
            yield connection
