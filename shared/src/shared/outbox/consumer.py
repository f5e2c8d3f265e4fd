"""Events in: the inbox row and the effect share a transaction, and the ack comes after it.

A passing fault (database, broker) stops the fetching and is not counted: the batch stays in hand.
A fault of the event itself is counted; the event goes to the dead letters, is tried again from
there, and its neighbours go on at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

from shared.contracts.events import Event, MalformedEventError
from shared.db.database import is_passing
from shared.kernel.faults import crash_point
from shared.nats import Bus, Delivery, PullConsumer
from shared.outbox.dead_letters import MAX_ATTEMPTS, DeadLetter, DeadLetters, described
from shared.outbox.inbox import Handler, handle_unseen, take_in
from shared.outbox.work import Transactions
from shared.telemetry import get_logger, start_trace

log = get_logger("consumer")

__all__ = ["Consumer", "Handler"]

MAX_DELIVERIES = 4
"""Handed out more often and never finished: the event may end its reader. It is tried alone."""
HEARTBEAT_SECONDS = 1.2
"""A third of `ack_wait`: what is in hand for long is not handed to another."""
LOOK_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.2
MAX_PAUSE_SECONDS = 1.0


class Consumer:
    """Reads one durable consumer and hands batches to the handler."""

    def __init__(
        self, transactions: Transactions, bus: Bus, pull: PullConsumer, handler: Handler
    ) -> None:
        self._transactions = transactions
        self._bus = bus
        self._handler = handler
        self._kept = asyncio.Event()
        self.pull = pull
        self.name = pull.spec.name
        self.dead_letters = DeadLetters(transactions.tables, self.name)
        self.waits_for: str | None = None
        """The passing fault that the batch in hand waits out."""

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; the batch at hand is finished first."""
        try:
            await self._insist(self._transactions.warm_up, stop)
            while not stop.is_set():
                if deliveries := await self.pull.fetch():
                    count = len(deliveries)
                    await self._work_off(deliveries, stop)
                    if count < self.pull.spec.batch:
                        await _wait(stop, self.pull.spec.rest_seconds)
        finally:
            await self.pull.close()

    async def _insist(self, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        """Do what a passing fault interrupts again, until it is done or `stop`."""
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            try:
                await step()
            except Exception as error:
                if not is_passing(error):
                    raise
                self.waits_for = repr(error)
                log.warning("consumer_waits", consumer=self.name, seconds=pause, error=error)
                await _wait(stop, pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
            else:
                self.waits_for = None
                return

    async def _work_off(self, deliveries: list[Delivery], stop: asyncio.Event) -> None:
        async with self._held(deliveries):
            await self._insist(partial(self._process, deliveries), stop)
        for delivery in deliveries:
            await delivery.retry_after(0)

    @asynccontextmanager
    async def _held(self, deliveries: list[Delivery]) -> AsyncIterator[None]:
        async def beat() -> None:
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                await self.pull.hold(deliveries)

        heart = asyncio.create_task(beat())
        try:
            yield
        finally:
            heart.cancel()

    async def _process(self, deliveries: list[Delivery]) -> None:
        """Take every delivery off the list that is done with, in whatever way."""
        readable: list[tuple[Delivery, Event]] = []
        for delivery in list(deliveries):
            try:
                event = Event.from_message(delivery.headers, delivery.data)
            except MalformedEventError as error:
                await self._keep(delivery, self._name_of(delivery), str(error), MAX_ATTEMPTS)
                deliveries.remove(delivery)
                continue
            if delivery.deliveries > MAX_DELIVERIES:
                often = f"handed out {delivery.deliveries} times and never finished"
                await self._keep(delivery, str(event.id), often, attempts=0)
                deliveries.remove(delivery)
                continue
            readable.append((delivery, event))
        if readable:
            await self._settle(readable, deliveries)

    async def _settle(
        self, readable: Sequence[tuple[Delivery, Event]], deliveries: list[Delivery]
    ) -> None:
        """Handle all together, or in halves, so that the few that fail are found quickly."""
        try:
            events = [event for _, event in readable]
            await take_in(self._transactions, self.name, self._handler, events)
        except Exception as error:
            if is_passing(error):
                raise
            if len(readable) > 1:
                half = len(readable) // 2
                await self._settle(readable[:half], deliveries)
                await self._settle(readable[half:], deliveries)
                return
            ((delivery, event),) = readable
            await self._keep(delivery, str(event.id), described(error), attempts=1)
        else:
            crash_point("consumer_committed")
            await self.pull.ack(delivery for delivery, _ in readable)
        for delivery, _ in readable:
            deliveries.remove(delivery)

    async def _keep(self, delivery: Delivery, message_id: str, error: str, attempts: int) -> None:
        """Write the dead letter first, then tell the broker not to hand it out again."""
        async with self._transactions.database.begin() as connection:
            state = await self.dead_letters.keep(
                connection,
                delivery,
                message_id,
                error,
                attempts=attempts,
                now=self._transactions.clock(),
            )
        crash_point("dead_letter_written")
        log.error(
            "event_failed",
            consumer=self.name,
            event_id=message_id,
            subject=delivery.subject,
            state=state,
            error=error,
        )
        if state == "RETRYING":
            await self.pull.ack([delivery])
        else:
            await self.pull.refuse([delivery])
        self._kept.set()

    def _name_of(self, delivery: Delivery) -> str:
        """What is unreadable may have no id; its place in the stream is one."""
        headers = {name.lower(): value for name, value in (delivery.headers or {}).items()}
        return (headers.get("ce-id") or f"{self.pull.spec.stream}-{delivery.place}")[:128]

    async def retry(self, stop: asyncio.Event) -> None:
        """Try dead letters again until `stop`: those whose time has come, and redriven ones."""
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            self._kept.clear()
            try:
                seconds = await self.retry_due(stop)
                pause = FIRST_PAUSE_SECONDS
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("retries_wait", consumer=self.name, seconds=pause, error=repr(error))
                seconds, pause = pause, min(pause * 2, MAX_PAUSE_SECONDS)
            await _wait_for_either(stop, self._kept, seconds)

    async def retry_due(self, stop: asyncio.Event) -> float:
        """Try what is due; return after how many seconds to look again."""
        now = self._transactions.clock()
        async with self._transactions.read() as connection:
            due = await self.dead_letters.next_due(connection)
        if due is None:
            return LOOK_SECONDS
        if due > now:
            return min(LOOK_SECONDS, (due - now).total_seconds())
        # An attempt is counted before it is made: a kill while it waits its turn is not one.
        await self._transactions.warm_up(thoroughly=True)
        async with self._transactions.database.begin() as connection:
            letter = await self.dead_letters.claim_due(connection, now)
        if letter is None:
            return FIRST_PAUSE_SECONDS
        await self._insist(partial(self._try_again, letter), stop)
        return 0

    async def _try_again(self, letter: DeadLetter) -> None:
        tables = self._transactions.tables
        try:
            event = letter.event()
            start_trace(event.correlation_id, event.traceparent)
            async with self._transactions.begin() as work:
                await handle_unseen(work, tables, self.name, self._handler, [event])
                await self.dead_letters.settle(work.connection, letter, work.now)
        except Exception as error:
            if is_passing(error):
                raise
            log.error(  # noqa: TRY400 - the error is the event's, and kept with it
                "event_failed_again",
                consumer=self.name,
                event_id=letter.message_id,
                attempts=letter.attempts,
                error=described(error),
            )
            now = self._transactions.clock()
            async with self._transactions.database.begin() as connection:
                await self.dead_letters.note_failure(connection, letter, described(error), now)
        else:
            log.info("event_digested", consumer=self.name, event_id=letter.message_id)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout=seconds)


async def _wait_for_either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
