"""A transaction with its events: both are committed, or neither is."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db import Database
from shared.db.bulk import insert_many
from shared.kernel.clock import Clock, utc_now
from shared.kernel.faults import crash_point
from shared.kernel.ids import new_id
from shared.outbox.tables import MessagingTables
from shared.telemetry import current_trace

EPOCH = "ketnoi_db_epoch"

OutboxRow = dict[str, object]
"""An event by the names of the outbox's columns."""


class UnitOfWork:
    """One open transaction. `publish` makes outbox rows; nothing is sent before the commit.

    They are written at its end, or by the effect's own statement (`hand_over`).
    """

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self.connection = connection
        self.now = clock()
        self._unwritten: list[OutboxRow] = []
        self.has_events = False
        self._after_commit: list[Callable[[], None]] = []
        self.causation_id: str | None = None
        self.db_epoch = 1

    def publish(
        self, event_type: str, aggregate_id: UUID, aggregate_version: int, body: BaseModel | bytes
    ) -> None:
        """Announce the aggregate's new state, e.g. as `demand.request.published.v1`."""
        trace = current_trace()
        data = body if isinstance(body, bytes) else body.model_dump_json(by_alias=True).encode()
        self.has_events = True
        self._unwritten.append(
            {
                "created_at": self.now,
                "event_id": new_id(),
                "type": event_type,
                "aggregate_id": aggregate_id,
                "aggregate_version": aggregate_version,
                "data": data,
                "db_epoch": self.db_epoch,
                "traceparent": trace.traceparent if trace else None,
                "correlation_id": trace.request_id if trace else None,
                "causation_id": self.causation_id,
            }
        )

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is committed, never when it is rolled back."""
        self._after_commit.append(action)

    def hand_over(self) -> list[OutboxRow]:
        """Return the outbox rows of what was published since; who takes them writes them."""
        rows, self._unwritten = self._unwritten, []
        return rows


class Transactions:
    """Opens units of work on one service's schema; the relay is woken after each commit."""

    def __init__(
        self,
        database: Database,
        tables: MessagingTables,
        source: str,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self.database = database
        self.tables = tables
        self.clock = clock
        self._source = source
        self._wake: Callable[[], None] = lambda: None

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Let `wake` be called when events have been committed."""
        self._wake = wake

    async def warm_up(self, *, thoroughly: bool = False) -> None:
        """Do what takes long before events are taken in hand: a kill then costs them nothing.

        `thoroughly` asks for what only some events need as well.
        """

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction; it commits on a clean exit and rolls back on an exception."""
        async with self.database.begin() as connection:
            work = UnitOfWork(connection, self.clock)
            work.db_epoch = await self._epoch(connection)
            yield work
            await insert_many(connection, self.tables.outbox, work.hand_over())
        self._committed(work)

    @asynccontextmanager
    async def single(self) -> AsyncIterator[UnitOfWork]:
        """A unit of work that writes by one statement, its events included (`hand_over`).

        A statement is a transaction by itself: two round trips less than `begin`.
        """
        async with self.database.read() as connection:
            work = UnitOfWork(connection, self.clock)
            work.db_epoch = await self._epoch(connection)
            yield work
            if work.hand_over():
                raise RuntimeError("events were published that no statement has written")
        self._committed(work)

    def _committed(self, work: UnitOfWork) -> None:
        for action in work._after_commit:  # noqa: SLF001 - the two classes are one mechanism
            action()
        if work.has_events:
            crash_point("outbox_committed")
            self._wake()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading."""
        return self.database.read()

    async def _epoch(self, connection: AsyncConnection) -> int:
        """Read it once a connection: raising it (`ketnoi new-epoch`) ends all connections."""
        if EPOCH not in connection.info:
            found = await connection.scalar(select(self.tables.db_epoch.c.epoch))
            connection.info[EPOCH] = int(found or 1)
        epoch: int = connection.info[EPOCH]
        return epoch
