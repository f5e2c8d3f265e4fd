"""Sends outbox rows to the stream: woken in process, with a one-second poll as safety net.

Rows are claimed by `published_at IS NULL`, never by a cursor on `seq`: a slow transaction may
commit a lower number after a higher one, and a cursor would pass it by for ever.
"""

import asyncio
from contextlib import suppress

from sqlalchemy import Row, func, select, text, update

from shared.contracts.events import Event
from shared.db.database import is_passing
from shared.nats import Bus, PublishError
from shared.outbox.tables import OUTBOX_KEPT_DAYS
from shared.outbox.work import Transactions
from shared.telemetry import get_logger

log = get_logger("outbox")

BATCH = 500
POLL_SECONDS = 1.0
MAX_PAUSE_SECONDS = 5.0
MAINTENANCE_SECONDS = 6 * 3600


class Relay:
    """The one sender of a service's events."""

    def __init__(self, transactions: Transactions, bus: Bus, stream: str) -> None:
        self._transactions = transactions
        self._outbox = transactions.tables.outbox
        self._bus = bus
        self._stream = stream
        self._woken = asyncio.Event()
        transactions.wake_with(self.wake)

    def wake(self) -> None:
        """Say that there may be rows to send."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; a fault only delays, it never loses or marks a row as failed."""
        pause = 0.2
        maintained_at = float(-MAINTENANCE_SECONDS)
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            try:
                if loop.time() - maintained_at > MAINTENANCE_SECONDS:
                    await self._maintain()
                    maintained_at = loop.time()
                while await self.drain_once() == BATCH and not stop.is_set():
                    pass
                pause = 0.2
            except Exception as error:
                if not (isinstance(error, PublishError) or is_passing(error)):
                    raise
                log.warning("relay_waits", seconds=pause, error=repr(error))
                await _wait(stop, pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                continue
            await _wait(self._woken, POLL_SECONDS)
            self._woken.clear()

    async def drain_once(self) -> int:
        """Send one batch of the oldest rows and mark them; return how many."""
        outbox = self._outbox
        self._bus.require_connection()  # not while rows are locked
        async with self._transactions.database.begin() as connection:
            rows = (
                await connection.execute(
                    select(outbox)
                    .where(outbox.c.published_at.is_(None))
                    .order_by(outbox.c.seq)
                    .limit(BATCH)
                    .with_for_update(skip_locked=True)
                )
            ).all()
            if rows:
                await self._bus.publish_batch([_event(row) for row in rows], self._stream)
                await connection.execute(
                    update(outbox)
                    .where(
                        outbox.c.published_at.is_(None), outbox.c.seq.in_([row.seq for row in rows])
                    )
                    .values(published_at=func.now())
                )
        return len(rows)

    async def _maintain(self) -> None:
        async with self._transactions.database.begin() as connection:
            await connection.execute(text("SELECT maintain_outbox(:d)"), {"d": OUTBOX_KEPT_DAYS})


def _event(row: Row[tuple[object, ...]]) -> Event:
    return Event(
        id=row.event_id,
        type=row.type,
        source=f"ketnoi/{row.type.split('.', 1)[0]}",
        aggregate_id=row.aggregate_id,
        aggregate_version=row.aggregate_version,
        time=row.created_at,
        data=row.data,
        db_epoch=row.db_epoch,
        traceparent=row.traceparent,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
    )


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout=seconds)
