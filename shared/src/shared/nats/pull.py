"""A durable pull consumer that keeps pulling, whatever the broker or the network does.

One request is out at a time, for one batch; what comes is taken as it comes. A request lives for
seconds, so one that was lost on the way is soon made again.
"""

import asyncio
import json
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from shared.contracts.messaging import ConsumerSpec
from shared.nats.bus import Bus, PublishError
from shared.nats.wire import IN_PROGRESS, TERMINATE, answer_block
from shared.telemetry import get_logger

log = get_logger("nats")

FETCH_SECONDS = 1.0
REQUEST_SECONDS = 5.0
GRACE_SECONDS = 1.0
"""How long the end of a request may be late before it counts as lost."""
RETRY_SECONDS = 1.0
_SHORT_REPLY = 9
"""Words in a reply subject of the first form; the second has domain and account as well."""
_HARMLESS = ("408", "404")
"""The request's time was over; nothing was there."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker handed it out."""

    message: Msg

    @property
    def headers(self) -> dict[str, str] | None:
        return self.message.headers

    @property
    def data(self) -> bytes:
        return self.message.data

    @property
    def subject(self) -> str:
        return self.message.subject

    @property
    def deliveries(self) -> int:
        return int(self._words()[0])

    @property
    def place(self) -> int:
        """Where in the stream it is."""
        return int(self._words()[1])

    def _words(self) -> list[str]:
        words = self.message.reply.split(".")
        start = 4 if len(words) == _SHORT_REPLY else 6
        return words[start : start + 2]

    async def retry_after(self, seconds: float) -> None:
        """Hand it back; the broker delivers it again after `seconds`."""
        with suppress(NatsError, OSError):
            await self.message.nak(delay=seconds)


class PullConsumer:
    """Fetches batches."""

    def __init__(self, bus: Bus, spec: ConsumerSpec) -> None:
        self._bus = bus
        self.spec = spec
        self._subscription: Subscription | None = None
        self._connection = 0
        self._buffer: deque[Msg] = deque()
        self._arrived = asyncio.Event()
        self._number = 0
        self._wanted = 0
        self._until = 0.0
        self._not_before = 0.0
        self._inbox = ""
        self.problem: str | None = None
        """What keeps messages from coming, None when nothing is known to."""
        self.problem_since: datetime | None = None

    async def fetch(self) -> list[Delivery]:
        """Return what is there within a second; an empty list is nothing to worry about."""
        try:
            if not self._buffer:
                await self._ask()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), FETCH_SECONDS)
                # What was sent together arrives together; take it together.
                await asyncio.sleep(0)
        except (NatsError, OSError, PublishError) as error:
            self._report(repr(error))
            await self._drop_subscription()
            await asyncio.sleep(RETRY_SECONDS)
        taken = min(len(self._buffer), self.spec.batch)
        return [Delivery(self._buffer.popleft()) for _ in range(taken)]

    async def _ask(self) -> None:
        """See to it that a request is out."""
        client = await self._bus.client()
        if self._subscription is not None and self._connection != self._bus.connections:
            await self._drop_subscription()
        if self._subscription is None:
            self._connection = self._bus.connections
            self._inbox = client.new_inbox()
            self._subscription = await client.subscribe(f"{self._inbox}.*", cb=self._take)
            self._wanted = 0
        now = asyncio.get_running_loop().time()
        if self._wanted > 0 and now > self._until:
            self._report("the broker does not answer")
            self._wanted = 0
        self._arrived.clear()
        if self._wanted <= 0 and now >= self._not_before:
            self._bus.require_connection()
            self._number += 1
            self._wanted = self.spec.batch
            self._until = now + REQUEST_SECONDS + GRACE_SECONDS
            request = {"batch": self._wanted, "expires": int(REQUEST_SECONDS * 1e9)}
            await client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self.spec.stream}.{self.spec.name}",
                json.dumps(request).encode(),
                reply=f"{self._inbox}.{self._number}",
            )

    async def _take(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None or message.data:
            self._wanted -= 1
            self._buffer.append(message)
        elif not message.subject.endswith(f".{self._number}"):
            return  # the end of an older request
        elif status in _HARMLESS:
            self._wanted = 0
        else:
            self._wanted = 0
            self._not_before = asyncio.get_running_loop().time() + RETRY_SECONDS
            # After a bare status the library takes the next header for the description.
            told = headers.get("Description", "").partition("\n")[0]
            self._report(f"{status} {told or 'no such consumer'}")
            return
        self._arrived.set()
        if self.problem:
            log.info("consumer_delivers_again", consumer=self.spec.name)
            self.problem = self.problem_since = None

    def _report(self, problem: str) -> None:
        if self.problem is None:
            self.problem_since = datetime.now(UTC)
        if problem != self.problem:
            log.error("consumer_silent", consumer=self.spec.name, error=problem)
        self.problem = problem

    async def ack(self, deliveries: Iterable[Delivery]) -> None:
        """Never deliver them again. One that is lost on the way only means a redelivery."""
        await self._answer(deliveries, b"")

    async def refuse(self, deliveries: Iterable[Delivery]) -> None:
        """Never deliver them again, as not to be digested. Only with a dead letter written."""
        await self._answer(deliveries, TERMINATE)

    async def hold(self, deliveries: Iterable[Delivery]) -> None:
        """Say that they, and what waits behind them here, are still being worked on."""
        waiting = [Delivery(message) for message in self._buffer]
        await self._answer([*deliveries, *waiting], IN_PROGRESS)

    async def _answer(self, deliveries: Iterable[Delivery], body: bytes) -> None:
        await self._bus.write(answer_block((d.message.reply for d in deliveries), body))

    async def _drop_subscription(self) -> None:
        if self._subscription is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await self._subscription.unsubscribe()
        self._subscription = None

    async def close(self) -> None:
        """Hand back what nobody will work on here."""
        for message in self._buffer:
            await Delivery(message).retry_after(0)
        self._buffer.clear()
        await self._drop_subscription()
