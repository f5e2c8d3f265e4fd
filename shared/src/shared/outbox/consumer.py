"""Events in: the inbox row and the effect share a transaction, and the ack comes after it.

A passing fault (database, broker) stops the fetching and is not counted. A fault of the event
itself is counted; after five the event becomes a dead letter and its neighbours go on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.events import Event, MalformedEventError
from shared.db.database import is_passing
from shared.nats import Bus, Delivery, PullConsumer
from shared.outbox.work import Transactions, UnitOfWork
from shared.telemetry import get_logger, start_trace

log = get_logger("consumer")

Handler = Callable[[UnitOfWork, Sequence[Event]], Awaitable[None]]
"""Makes the effect of a batch inside the given transaction; events may be late or out of order."""

MAX_ATTEMPTS = 5
MAX_DELIVERIES = 20
"""A message that was handed out so often kills its reader before it can be counted."""
RETRY_SECONDS = (1, 5, 30, 120, 600)
MAX_PAUSE_SECONDS = 5.0


class Consumer:
    """Reads one durable consumer and hands batches to the handler."""

    def __init__(
        self, transactions: Transactions, bus: Bus, pull: PullConsumer, handler: Handler
    ) -> None:
        self._transactions = transactions
        self._tables = transactions.tables
        self._bus = bus
        self._pull = pull
        self._handler = handler
        self.name = pull.spec.name

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; the batch at hand is finished first."""
        pause = 0.2
        while not stop.is_set():
            deliveries = await self._pull.fetch()
            if not deliveries:
                continue
            try:
                await self._process(deliveries)
                pause = 0.2
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("consumer_waits", consumer=self.name, seconds=pause, error=repr(error))
                for delivery in deliveries:
                    await delivery.retry_after(pause)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), timeout=pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
        await self._pull.close()

    async def _process(self, deliveries: Sequence[Delivery]) -> None:
        readable: list[tuple[Delivery, Event]] = []
        for delivery in deliveries:
            try:
                if delivery.deliveries > MAX_DELIVERIES:
                    raise MalformedEventError(f"handed out {delivery.deliveries} times")
                readable.append((delivery, Event.from_message(delivery.headers, delivery.data)))
            except MalformedEventError as error:
                await self._bury(delivery, str(error))
        if not readable:
            return
        try:
            await self._handle([event for _, event in readable])
        except Exception as error:
            if is_passing(error):
                raise
            if len(readable) == 1:
                await self._count_failure(*readable[0], error)
                return
            for delivery, event in readable:
                await self._process_alone(delivery, event)
            return
        await self._ack([delivery for delivery, _ in readable])

    async def _process_alone(self, delivery: Delivery, event: Event) -> None:
        try:
            await self._handle([event])
        except Exception as error:
            if is_passing(error):
                raise
            await self._count_failure(delivery, event, error)
        else:
            await self._ack([delivery])

    async def _handle(self, events: Sequence[Event]) -> None:
        start_trace(events[0].correlation_id, events[0].traceparent)
        async with self._transactions.begin() as work:
            inserted = await work.connection.execute(
                insert(self._tables.inbox)
                .values([{"consumer": self.name, "event_id": event.id} for event in events])
                .on_conflict_do_nothing()
                .returning(self._tables.inbox.c.event_id)
            )
            new = set(inserted.scalars())
            fresh: list[Event] = []
            for event in events:
                if event.id in new:
                    new.discard(event.id)
                    fresh.append(event)
            if fresh:
                work.causation_id = str(fresh[0].id) if len(fresh) == 1 else None
                await self._handler(work, fresh)

    async def _ack(self, deliveries: Sequence[Delivery]) -> None:
        # An ack that is lost only means a redelivery, which the inbox absorbs.
        for delivery in deliveries:
            await delivery.ack()
        retried = [d for d in deliveries if d.deliveries > 1]
        if retried:
            await self._forget_failures(retried)

    async def _forget_failures(self, deliveries: Sequence[Delivery]) -> None:
        table = self._tables.dead_letter
        ids = [Event.from_message(d.headers, d.data).id for d in deliveries]
        async with self._transactions.database.begin() as connection:
            await connection.execute(
                delete(table).where(
                    table.c.consumer == self.name,
                    table.c.message_id.in_([str(found) for found in ids]),
                    table.c.state == "RETRYING",
                )
            )

    async def _count_failure(self, delivery: Delivery, event: Event, error: Exception) -> None:
        attempts = await self._write_dead_letter(delivery, str(event.id), repr(error), "RETRYING")
        log.error(
            "event_failed",
            consumer=self.name,
            event_id=str(event.id),
            subject=delivery.subject,
            attempts=attempts,
            error=repr(error),
        )
        if attempts >= MAX_ATTEMPTS:
            await self._write_dead_letter(delivery, str(event.id), repr(error), "OPEN")
            await delivery.refuse()
        else:
            await delivery.retry_after(RETRY_SECONDS[attempts - 1])

    async def _bury(self, delivery: Delivery, error: str) -> None:
        headers = {name.lower(): value for name, value in (delivery.headers or {}).items()}
        sequence = delivery.message.metadata.sequence
        message_id = headers.get("ce-id") or f"{self._pull.spec.stream}-{sequence.stream}"
        await self._write_dead_letter(delivery, message_id[:128], error, "OPEN")
        log.error("event_unreadable", consumer=self.name, subject=delivery.subject, error=error)
        await delivery.refuse()

    async def _write_dead_letter(
        self, delivery: Delivery, message_id: str, error: str, state: str
    ) -> int:
        table = self._tables.dead_letter
        statement = insert(table).values(
            consumer=self.name,
            message_id=message_id,
            subject=delivery.subject,
            headers=json.dumps(delivery.headers or {}),
            data=delivery.data,
            error=error[:4000],
            attempts=1,
            state=state,
        )
        counted = 1 if state == "RETRYING" else 0
        async with self._transactions.database.begin() as connection:
            attempts = await connection.scalar(
                statement.on_conflict_do_update(
                    index_elements=[table.c.consumer, table.c.message_id],
                    set_={
                        "attempts": table.c.attempts + counted,
                        "state": state,
                        "error": error[:4000],
                        "last_seen_at": func.now(),
                    },
                ).returning(table.c.attempts)
            )
        return int(attempts or 1)

    async def open_dead_letters(self) -> int:
        """Return how many dead letters of this consumer wait for a person."""
        table = self._tables.dead_letter
        async with self._transactions.read() as connection:
            found = await connection.scalar(
                select(func.count())
                .select_from(table)
                .where(table.c.consumer == self.name, table.c.state == "OPEN")
            )
        return int(found or 0)
