"""What a service's health says of its events: outbox, consumers, dead letters, drift.

A service goes on serving while any of this is wrong, so none of it is more than a warning.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from shared.db.database import is_passing
from shared.kernel.health import Check, CheckFunction
from shared.nats import Bus, PublishError
from shared.outbox.consumer import Consumer
from shared.outbox.reconciler import UNSENT_SECONDS, Findings, Reconciler, count_unsent
from shared.outbox.relay import Relay
from shared.outbox.work import Transactions

LOOK_SECONDS = 0.4
"""Less than a health check may take, so that a slow broker is a finding of its own."""
_MISSING = ("no such consumer", "Consumer Deleted")


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of a service's events; None where it cannot be seen."""

    outbox_unsent: int
    outbox_oldest_seconds: float
    outbox_published: int
    consumer_waiting: dict[str, int | None]
    consumer_redelivered: dict[str, int | None]
    dead_letters_open: dict[str, int]
    reconcile_repairs: dict[str, int]


class MessagingChecks:
    """Looks at the parts of one worker."""

    def __init__(
        self,
        transactions: Transactions,
        bus: Bus,
        relay: Relay,
        consumers: Sequence[Consumer],
        reconciler: Reconciler,
    ) -> None:
        self._transactions = transactions
        self._bus = bus
        self._relay = relay
        self._consumers = consumers
        self._reconciler = reconciler

    def functions(self) -> dict[str, CheckFunction]:
        return {
            "outbox": self.outbox,
            "consumers": self.consumers,
            "dead_letters": self.dead_letters,
            "drift": self.drift,
        }

    async def outbox(self) -> Check:
        """Events that wait to be sent, and since when."""
        try:
            unsent, seconds = await self._unsent()
        except Exception as error:
            if not is_passing(error):
                raise
            return Check("warn", "outbox_unknown", output=repr(error))
        if seconds <= UNSENT_SECONDS:
            return Check("pass", observed=unsent, unit="events")
        since = (self._transactions.clock() - timedelta(seconds=seconds)).isoformat()
        output = f"the oldest has waited {seconds:.0f} s; {self._relay.waits_for or 'being sent'}"
        return Check("warn", "outbox_late", unsent, "events", output, since)

    async def _unsent(self) -> tuple[int, float]:
        outbox = self._transactions.tables.outbox.c
        async with self._transactions.read() as connection:
            oldest = await connection.scalar(
                select(outbox.created_at)
                .where(outbox.published_at.is_(None))
                .order_by(outbox.seq)
                .limit(1)
            )
        if oldest is None:
            return 0, 0.0
        seconds = (self._transactions.clock() - oldest).total_seconds()
        return await count_unsent(self._transactions), seconds

    async def consumers(self) -> Check:
        """Messages that wait to be read, and what keeps them from it."""
        waiting = await self._waiting()
        troubles = [
            f"{consumer.name}: {trouble}"
            for consumer in self._consumers
            if (trouble := consumer.pull.problem or consumer.waits_for)
        ]
        since = min(
            (c.pull.problem_since for c in self._consumers if c.pull.problem_since), default=None
        )
        troubles += [told for told in self._reconciler.found.stuck if told not in troubles]
        observed = sum(count or 0 for count in waiting.values())
        if troubles:
            output = "; ".join(troubles)
            missing = any(word in output for word in _MISSING)
            return Check(
                "warn",
                "messaging_missing" if missing else "consumer_stopped",
                observed,
                "events",
                output,
                since.isoformat() if since else None,
            )
        unseen = [name for name, count in waiting.items() if count is None]
        if unseen:
            output = f"{', '.join(unseen)}: the broker does not say"
            return Check("warn", "consumer_unknown", observed, "events", output)
        return Check("pass", observed=observed, unit="events")

    async def _waiting(self) -> dict[str, int | None]:
        found = await asyncio.gather(*(self._ask(consumer) for consumer in self._consumers))
        names = [consumer.name for consumer in self._consumers]
        return dict(zip(names, found, strict=True))

    async def _ask(self, consumer: Consumer) -> int | None:
        spec = consumer.pull.spec
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._bus.pending(spec.stream, spec.name)
        except (PublishError, TimeoutError):
            return None

    async def _redelivered(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for consumer in self._consumers:
            spec = consumer.pull.spec
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    state = await self._bus.consumer_state(spec.stream, spec.name)
                found[consumer.name] = state.redelivered
            except (PublishError, TimeoutError):
                found[consumer.name] = None
        return found

    async def dead_letters(self) -> Check:
        """Events that wait for a person."""
        try:
            found = await self._open()
        except Exception as error:
            if not is_passing(error):
                raise
            return Check("warn", "dead_letters_unknown", output=repr(error))
        total = sum(found.values())
        if not total:
            return Check("pass", observed=0, unit="events")
        output = ", ".join(f"{name}: {count}" for name, count in found.items() if count)
        return Check("warn", "dead_letters_open", total, "events", output)

    async def _open(self) -> dict[str, int]:
        async with self._transactions.read() as connection:
            return {
                consumer.name: await consumer.dead_letters.count_open(connection)
                for consumer in self._consumers
            }

    async def drift(self) -> Check:
        """Streams and consumers that are not as the table of `shared.contracts` says."""
        found = self._reconciler.found
        if found.blind:
            return Check("warn", "messaging_unseen", output=found.blind)
        told = [*found.drift, *([found.counts] if found.counts else [])]
        if not told:
            return Check("pass")
        return Check("warn", _code_of(found), len(told), "differences", "; ".join(told))

    async def figures(self) -> Figures:
        """Return what the metrics show; raises when the database is away."""
        unsent, oldest = await self._unsent()
        repairs = dict(self._reconciler.repaired)
        if self._relay.repairs > repairs.get("stream_lost_events", 0):
            repairs["stream_lost_events"] = self._relay.repairs
        return Figures(
            outbox_unsent=unsent,
            outbox_oldest_seconds=oldest,
            outbox_published=self._relay.sent,
            consumer_waiting=await self._waiting(),
            consumer_redelivered=await self._redelivered(),
            dead_letters_open=await self._open(),
            reconcile_repairs=repairs,
        )


def _code_of(found: Findings) -> str:
    if any(told.endswith(" is missing") for told in found.drift):
        return "messaging_missing"
    return "messaging_drift" if found.drift else "stream_incomplete"
