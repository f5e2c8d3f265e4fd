"""Sends outbox rows to the stream: woken in process, with a one-second poll as safety net.

Rows are claimed by `published_at IS NULL`, never by a cursor on `seq`: a slow transaction may
commit a lower number after a higher one, and a cursor would pass it by for ever.

Each row keeps the place that the stream gave it. A stream that gives out a place for the second
time has lost what it held from there on (its store was deleted or rolled back), and those rows
are sent again.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.events import Event
from shared.contracts.messaging import StreamSpec
from shared.db.database import is_passing
from shared.kernel.faults import crash_point
from shared.nats import Bus, PublishError
from shared.outbox.housekeeping import maintain
from shared.outbox.work import Transactions
from shared.telemetry import get_logger

log = get_logger("outbox")

BATCH = 500
POLL_SECONDS = 1.0
MAX_PAUSE_SECONDS = 1.0
MAINTENANCE_SECONDS = 6 * 3600
RESEND_ROWS = 20_000
_LOCK = "SELECT pg_try_advisory_lock(hashtext('relay'), hashtext(current_schema()))"
_STATE = "SELECT last_seq FROM relay_state"
_OLDEST = """
SELECT created_at, seq, event_id, type, aggregate_id, aggregate_version, data, db_epoch,
    traceparent, correlation_id, causation_id
FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1
"""
_MARK = """
WITH sent AS (
    UPDATE outbox o SET published_at = now(), stream_seq = given.place
    FROM unnest($1::bigint[], $2::bigint[]) AS given(seq, place)
    WHERE o.seq = given.seq AND o.published_at IS NULL AND o.created_at BETWEEN $4 AND $5
)
INSERT INTO relay_state AS r (is_only_row, last_seq) VALUES (true, $3)
ON CONFLICT (is_only_row) DO UPDATE SET last_seq = greatest(r.last_seq, EXCLUDED.last_seq)
"""
_RESEND = """
WITH chosen AS (
    SELECT created_at, seq FROM outbox
    WHERE stream_seq > $1 AND created_at > $2 LIMIT $3
)
UPDATE outbox o SET published_at = NULL, stream_seq = NULL FROM chosen c
WHERE o.created_at = c.created_at AND o.seq = c.seq
"""
_LOWER = """
INSERT INTO relay_state AS r (is_only_row, last_seq, stream_created_at) VALUES (true, $1, $2)
ON CONFLICT (is_only_row) DO UPDATE
SET last_seq = EXCLUDED.last_seq, stream_created_at = EXCLUDED.stream_created_at
"""


class Relay:
    """The one sender of a service's events: others wait for its lock on the database."""

    def __init__(self, transactions: Transactions, bus: Bus, stream: StreamSpec) -> None:
        self._transactions = transactions
        self._bus = bus
        self._stream = stream
        self._woken = asyncio.Event()
        self._alone = asyncio.Lock()
        self._session: Any = None
        self._last_seq = 0
        self.waits_for: str | None = None
        """The passing fault that keeps it from sending."""
        self.sent = 0
        self.repairs = 0
        """Rows sent again because the stream had lost them."""
        transactions.wake_with(self.wake)

    def wake(self) -> None:
        """Say that there may be rows to send."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; a fault only delays, it never loses or marks a row as failed."""
        pause = 0.2
        maintained_at = float(-MAINTENANCE_SECONDS)
        loop = asyncio.get_running_loop()
        try:
            while not stop.is_set():
                try:
                    if loop.time() - maintained_at > MAINTENANCE_SECONDS:
                        await maintain(self._transactions.database)
                        maintained_at = loop.time()
                    while await self.drain_once() == BATCH and not stop.is_set():
                        pass
                    pause, self.waits_for = 0.2, None
                except Exception as error:
                    if not (isinstance(error, PublishError) or is_passing(error)):
                        raise
                    self.waits_for = str(error) or repr(error)
                    log.warning("relay_waits", seconds=pause, error=repr(error))
                    await _wait(stop, pause)
                    pause = min(pause * 2, MAX_PAUSE_SECONDS)
                    continue
                await _wait(self._woken, POLL_SECONDS)
                self._woken.clear()
        finally:
            await self.close()

    async def drain_once(self) -> int:
        """Send one batch of the oldest rows and mark them; return how many."""
        async with self._alone:
            try:
                return await self._drain()
            except Exception as error:
                if not isinstance(error, PublishError):
                    await self._end_session()
                raise

    async def _drain(self) -> int:
        self._bus.require_connection()
        if not await self._holds_lock():
            return 0
        rows = await self._session.fetch(_OLDEST, BATCH)
        if not rows:
            return 0
        stored = await self._bus.publish_batch([event_of(row) for row in rows], self._stream.name)
        crash_point("relay_published")
        if stored.lowest_new is not None and stored.lowest_new <= self._last_seq:
            await self._resend(stored.lowest_new - 1, None)
        days = [row["created_at"] for row in rows]
        self._last_seq = max(self._last_seq, *stored.places)
        await self._session.execute(
            _MARK,
            [row["seq"] for row in rows],
            stored.places,
            self._last_seq,
            min(days),
            max(days),
        )
        self.sent += len(rows)
        return len(rows)

    async def _holds_lock(self) -> bool:
        """Hold the lock as long as the session lives, so that nobody sends beside this one."""
        if self._session is None:
            session = await self._transactions.database.dedicated()
            if not await session.fetchval(_LOCK):
                await session.close()
                return False
            self._session = session
            self._last_seq = int(await session.fetchval(_STATE) or 0)
        return True

    async def note_stream(self, created: datetime, last_seq: int) -> int:
        """Compare with the stream as it is; return how many rows have to be sent again."""
        async with self._alone:
            if not await self._holds_lock():
                return 0
            row = await self._session.fetchrow("SELECT stream_created_at FROM relay_state")
            known = row and row["stream_created_at"]
            if known == created:
                # What was sent since the stream was asked is beyond `last_seq` and not lost.
                return 0 if last_seq >= self._last_seq else await self._lost(last_seq, created)
            if known is None:
                await self._session.execute(_LOWER, self._last_seq, created)
                return 0
            return await self._resend(0, created)

    async def _lost(self, last_seq: int, created: datetime) -> int:
        state = await self._bus.stream_state(self._stream.name)
        if state.created == created and state.last_seq >= self._last_seq:
            return 0
        return await self._resend(min(last_seq, state.last_seq), created)

    async def _resend(self, after: int, created: datetime | None) -> int:
        """Mark what the stream held beyond `after` as unsent."""
        kept_from = self._transactions.clock() - timedelta(seconds=self._stream.max_age_seconds)
        total = 0
        while True:
            done = await self._session.execute(_RESEND, after, kept_from, RESEND_ROWS)
            count = int(done.split()[-1])
            total += count
            if count < RESEND_ROWS:
                break
        await self._session.execute(_LOWER, after, created)
        self._last_seq = after
        if total:
            self.repairs += total
            log.error("stream_lost_events", stream=self._stream.name, after=after, resent=total)
            self.wake()
        return total

    async def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.terminate()

    async def close(self) -> None:
        """Give up the lock."""
        async with self._alone:
            session, self._session = self._session, None
            if session is not None:
                with suppress(Exception):
                    await session.close(timeout=2)


def event_of(row: Any) -> Event:
    """Return the event that an outbox row keeps."""
    return Event(
        id=row["event_id"],
        type=row["type"],
        source=f"ketnoi/{row['type'].split('.', 1)[0]}",
        aggregate_id=row["aggregate_id"],
        aggregate_version=row["aggregate_version"],
        time=row["created_at"],
        data=row["data"],
        db_epoch=row["db_epoch"],
        traceparent=row["traceparent"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
    )


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout=seconds)
