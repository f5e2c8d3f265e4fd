"""Compares, every minute, what should be with what is; repairs what it may, and tells the rest.

Nothing here is needed while all goes well: whatever it repairs is an accident somewhere else.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select

from shared.contracts.messaging import STREAMS, ConsumerSpec, StreamSpec
from shared.db.database import is_passing
from shared.nats import Bus, ConsumerState, MissingError, PublishError
from shared.nats.objects import consumer_config, differences, stream_config
from shared.outbox.relay import Relay
from shared.outbox.work import Transactions
from shared.telemetry import get_logger

log = get_logger("reconciler")

LOOK_SECONDS = 60.0
SOON_SECONDS = 5.0
"""When the last look found something missing, or could not see."""
COUNT_SECONDS = 3600.0
UNSENT_SECONDS = 30.0
STUCK_SECONDS = 60.0

Repair = Callable[[], Awaitable[int]]
"""Puts right what a service alone can see; returns how many things it had to."""


@dataclass(slots=True)
class Findings:
    """What the last look saw."""

    drift: list[str] = field(default_factory=list)
    """Each stream or consumer that is not as the table says, with the setting that differs."""
    stuck: list[str] = field(default_factory=list)
    """Consumers that have had messages waiting for a minute without acknowledging one."""
    blind: str | None = None
    """Why nothing could be seen."""
    counts: str | None = None
    """How the outbox and the stream disagree in number."""


class Reconciler:
    """The looks of one service: its own stream, and the consumers it reads."""

    def __init__(
        self,
        transactions: Transactions,
        bus: Bus,
        relay: Relay,
        stream: StreamSpec,
        consumers: tuple[ConsumerSpec, ...],
        *,
        repairs: Mapping[str, Repair] | None = None,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._transactions = transactions
        self._bus = bus
        self._relay = relay
        self._stream = stream
        self._consumers = consumers
        self._repairs = dict(repairs or {})
        self._seconds = seconds
        self._acked: dict[str, tuple[int, float]] = {}
        self._counted_at: float | None = None
        self._counts: str | None = None
        self.found = Findings()
        self.repaired: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Look at once, then again and again; after a broken connection sooner."""
        while not stop.is_set():
            self._bus.returned.clear()
            try:
                await self.look()
            except Exception as error:
                if not (isinstance(error, PublishError) or is_passing(error)):
                    raise
                self.found = Findings(blind=str(error) or repr(error), counts=self._counts)
            troubled = self.found.blind or self.found.drift
            await self._pause(stop, min(SOON_SECONDS, self._seconds) if troubled else self._seconds)

    async def _pause(self, stop: asyncio.Event, seconds: float) -> None:
        waits = [asyncio.ensure_future(e.wait()) for e in (stop, self._bus.returned)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def look(self) -> Findings:
        """Look once; PublishError when the broker is away."""
        await self._run_repairs()
        found = Findings(counts=self._counts)
        await self._look_at_streams(found)
        for spec in self._consumers:
            await self._look_at_consumer(spec, found)
        for told in found.drift:
            if told not in self.found.drift:
                log.error("messaging_drift", difference=told)
        await self._count_when_due()
        found.counts = self._counts
        self.found = found
        return found

    async def _run_repairs(self) -> None:
        for name, repair in self._repairs.items():
            self._note(name, await repair())
        unsent = await count_unsent(self._transactions, UNSENT_SECONDS)
        if unsent:
            log.warning("outbox_late", unsent=unsent, waits_for=self._relay.waits_for)
            self._relay.wake()

    def _note(self, name: str, count: int) -> None:
        if count:
            self.repaired[name] += count
            log.error("reconciler_repaired", kind=name, count=count)

    async def _look_at_streams(self, found: Findings) -> None:
        read = {spec.stream for spec in self._consumers}
        for spec in STREAMS:
            if spec.name != self._stream.name and spec.name not in read:
                continue
            try:
                state = await self._bus.stream_state(spec.name)
            except MissingError:
                found.drift.append(f"stream {spec.name} is missing")
                continue
            found.drift += [
                f"stream {spec.name}: {told}"
                for told in differences(stream_config(spec), state.config)
            ]
            if spec.name == self._stream.name:
                resent = await self._relay.note_stream(state.created, state.last_seq)
                self._note("stream_lost_events", resent)

    async def _look_at_consumer(self, spec: ConsumerSpec, found: Findings) -> None:
        try:
            state = await self._bus.consumer_state(spec.stream, spec.name)
        except MissingError:
            found.drift.append(f"consumer {spec.name} of stream {spec.stream} is missing")
            self._acked.pop(spec.name, None)
            return
        found.drift += [
            f"consumer {spec.name}: {told}"
            for told in differences(consumer_config(spec), state.config)
        ]
        if self._is_stuck(spec.name, state):
            found.stuck.append(f"{spec.name}: {state.waiting + state.in_hand} wait, none is acked")

    def _is_stuck(self, name: str, state: ConsumerState) -> bool:
        """Remember since when nothing was acknowledged that could have been."""
        now = asyncio.get_running_loop().time()
        acked, since = self._acked.get(name, (-1, now))
        if acked != state.acked_to or state.waiting + state.in_hand == 0:
            since = now
        self._acked[name] = (state.acked_to, since)
        return now - since >= STUCK_SECONDS

    async def _count_when_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._counted_at is None or now - self._counted_at >= COUNT_SECONDS:
            self._counts = await self.compare_counts()
            self._counted_at = now

    async def compare_counts(self) -> str | None:
        """Compare what the outbox says is in the stream with what the stream says it holds."""
        outbox = self._transactions.tables.outbox.c
        relay_state = self._transactions.tables.relay_state.c
        async with self._transactions.read() as connection:
            last = int(await connection.scalar(select(relay_state.last_seq)) or 0)
        state = await self._bus.stream_state(self._stream.name)
        if state.holes:
            return f"{state.holes} of {self._stream.name}'s messages are missing in its middle"
        kept_from = self._transactions.clock() - timedelta(seconds=self._stream.max_age_seconds)
        async with self._transactions.read() as connection:
            sent = await connection.scalar(
                select(func.count())
                .select_from(self._transactions.tables.outbox)
                .where(
                    outbox.stream_seq.between(max(1, state.first_seq), last),
                    outbox.created_at > kept_from,
                )
            )
        held = max(0, min(state.last_seq, last) - state.first_seq + 1) if state.messages else 0
        if int(sent or 0) > held:
            return f"{sent} events were sent to {self._stream.name}, which holds {held} of them"
        return None


async def count_unsent(transactions: Transactions, older_than_seconds: float = 0) -> int:
    """Return how many outbox rows wait for longer than that."""
    outbox = transactions.tables.outbox
    since = transactions.clock() - timedelta(seconds=older_than_seconds)
    async with transactions.read() as connection:
        found = await connection.scalar(
            select(func.count())
            .select_from(outbox)
            .where(outbox.c.published_at.is_(None), outbox.c.created_at <= since)
        )
    return int(found or 0)
