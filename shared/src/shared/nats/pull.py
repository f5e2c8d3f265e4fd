"""A durable pull consumer that keeps pulling, whatever the broker or the network does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from shared.contracts.messaging import ConsumerSpec
from shared.nats.bus import Bus, PublishError
from shared.telemetry import get_logger

log = get_logger("nats")

FETCH_SECONDS = 1.0
SILENT_FETCHES = 60
"""Empty fetches (a minute) after which the subscription is made anew if messages wait."""


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
        return self.message.metadata.num_delivered or 1

    async def ack(self) -> None:
        with suppress(NatsError, OSError):
            await self.message.ack()

    async def retry_after(self, seconds: float) -> None:
        """Hand it back; the broker delivers it again after `seconds`."""
        with suppress(NatsError, OSError):
            await self.message.nak(delay=seconds)

    async def refuse(self) -> None:
        """Never deliver it again. Only after a dead letter has been written."""
        with suppress(NatsError, OSError):
            await self.message.term()


class PullConsumer:
    """Fetches batches of at most `max_ack_pending` messages."""

    def __init__(self, bus: Bus, spec: ConsumerSpec) -> None:
        self._bus = bus
        self.spec = spec
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._silent = 0

    async def fetch(self) -> list[Delivery]:
        """Return what is there within a few seconds; an empty list is nothing to worry about."""
        try:
            if self._subscription is None:
                js = await self._bus.jetstream()
                self._subscription = await js.pull_subscribe_bind(
                    consumer=self.spec.name, stream=self.spec.stream
                )
            messages = await self._fetch_batch(self._subscription)
        except TimeoutError:  # nats-py's time-outs are this class as well
            return await self._nothing()
        except (NatsError, OSError) as error:
            log.warning("consumer_fetch_failed", consumer=self.spec.name, error=repr(error))
            await self._drop_subscription()
            await asyncio.sleep(1)
            return []
        self._silent = 0
        return [Delivery(message) for message in messages]

    async def _fetch_batch(self, subscription: JetStreamContext.PullSubscription) -> list[Msg]:
        # Wait for the first message alone, then take what is queued: a fetch of many would hold
        # the first one back until its time is over.
        first = await subscription.fetch(1, timeout=FETCH_SECONDS)
        rest: list[Msg] = []
        waiting = min(first[0].metadata.num_pending or 0, self.spec.max_ack_pending - 1)
        if waiting > 0:
            with suppress(TimeoutError):
                rest = await subscription.fetch(waiting, timeout=0.2)
        return [*first, *rest]

    async def _nothing(self) -> list[Delivery]:
        self._silent += 1
        if self._silent >= SILENT_FETCHES:
            self._silent = 0
            with suppress(PublishError):
                if await self._bus.pending(self.spec.stream, self.spec.name) > 0:
                    log.error("consumer_silent", consumer=self.spec.name)
                    await self._drop_subscription()
        return []

    async def _drop_subscription(self) -> None:
        if self._subscription is not None:
            with suppress(NatsError, OSError, TimeoutError):
                await self._subscription.unsubscribe()
        self._subscription = None

    async def close(self) -> None:
        await self._drop_subscription()
