"""Runs a service's relay, consumers and other loops, beside the HTTP app or alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from shared.contracts.messaging import consumers_of, stream_of
from shared.kernel.health import CheckFunction
from shared.nats import Bus, PullConsumer
from shared.outbox.checks import Figures, MessagingChecks
from shared.outbox.consumer import Consumer
from shared.outbox.inbox import Handler
from shared.outbox.reconciler import LOOK_SECONDS, Reconciler, Repair
from shared.outbox.relay import Relay
from shared.outbox.restarts import Restarts
from shared.outbox.work import Transactions
from shared.telemetry import get_logger

log = get_logger("worker")

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""A task that runs until the event is set."""

STOP_SECONDS = 10.0
MAX_PAUSE_SECONDS = 30.0


class Worker:
    """The background half of a service: one bus, one relay, its consumers, further loops.

    `repairs` are what the reconciler asks of this service alone, by name.
    """

    def __init__(
        self,
        service: str,
        nats_url: str,
        transactions: Transactions,
        handlers: dict[str, Handler],
        loops: Sequence[Loop] = (),
        *,
        repairs: Mapping[str, Repair] | None = None,
        reconcile_seconds: float = LOOK_SECONDS,
    ) -> None:
        stream, specs = stream_of(service), consumers_of(service)
        self.bus = Bus(nats_url, service)
        self.relay = Relay(transactions, self.bus, stream)
        self.consumers = [
            Consumer(transactions, self.bus, PullConsumer(self.bus, spec), handlers[spec.name])
            for spec in specs
        ]
        self.reconciler = Reconciler(
            transactions,
            self.bus,
            self.relay,
            stream,
            specs,
            repairs=repairs,
            seconds=reconcile_seconds,
        )
        self._checks = MessagingChecks(
            transactions, self.bus, self.relay, self.consumers, self.reconciler
        )
        self._loops = loops
        self.restarts = Restarts()

    def checks(self) -> dict[str, CheckFunction]:
        """Return what the service's health says of its events and of its background tasks."""
        return self._checks.functions() | {"tasks": self.restarts.check}

    async def figures(self) -> Figures:
        """Return what the service's metrics show of its events."""
        return await self._checks.figures()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything; on exit let each loop finish what it holds, within a bound."""
        stop = asyncio.Event()
        await self.bus.start()
        named: list[tuple[str, Loop]] = [("relay", self.relay.run)]
        named += [(consumer.name, consumer.run) for consumer in self.consumers]
        named += [(f"{consumer.name}-retries", consumer.retry) for consumer in self.consumers]
        named.append(("reconciler", self.reconciler.run))
        named += [(getattr(loop, "__name__", "loop"), loop) for loop in self._loops]
        tasks = [
            asyncio.create_task(_keep_running(name, loop, stop, self.restarts), name=name)
            for name, loop in named
        ]
        try:
            yield
        finally:
            stop.set()
            self.relay.wake()
            if not self.bus.connected:
                await self.bus.close()  # else who waits for the first connection waits on
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            await self.bus.close()


async def _keep_running(name: str, loop: Loop, stop: asyncio.Event, restarts: Restarts) -> None:
    """Start a loop again when it dies of something unforeseen, ever more slowly."""
    pause = 0.5
    while not stop.is_set():
        started = asyncio.get_running_loop().time()
        try:
            await loop(stop)
        except Exception as error:
            log.exception("loop_died", loop=name, restart_in=pause)
            restarts.note(name, error)
            if asyncio.get_running_loop().time() - started > 2 * MAX_PAUSE_SECONDS:
                pause = 0.5
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE_SECONDS)
