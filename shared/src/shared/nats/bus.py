"""A connection to NATS that never gives up, and durable publishing on it.

Rules measured on nats-server 2.15 and nats-py 2.16: a time-out means *unknown*, so the same event
id is sent again until it is acknowledged; a denied permission shows only in `error_cb`.
"""

import asyncio
import json
import random
import secrets
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from shared.contracts.events import Event
from shared.telemetry import get_logger

log = get_logger("nats")

PUBLISH_SECONDS = 5.0
BATCH_LIMIT = 500
"""Messages in one atomic batch; the server allows 1,000."""
_DUPLICATE_IN_BATCH = 10201


class PublishError(RuntimeError):
    """The broker has not confirmed; nothing is known about what it stored."""


class Bus:
    """One service's connection. `start()` returns at once; the connection comes when it can."""

    def __init__(self, url: str, name: str) -> None:
        user = urlsplit(url).username or name
        self._url = url
        self._name = name
        self._inbox_prefix = f"_INBOX_{user}"
        self._client = Client()
        self._starting: asyncio.Task[None] | None = None
        self._js: JetStreamContext | None = None
        self.last_error: str | None = None

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def start(self) -> None:
        """Begin to connect in the background: a service can work while the broker is away."""
        self._starting = asyncio.create_task(self._connect(), name="nats-connect")

    async def _connect(self) -> None:
        while True:
            try:
                await self._client.connect(
                    self._url,
                    name=self._name,
                    inbox_prefix=self._inbox_prefix,
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    # seconds; nats-py takes a float; the jitter keeps a herd apart
                    reconnect_time_wait=0.25 + random.random() * 0.5,  # type: ignore[arg-type] # noqa: S311
                    connect_timeout=3,
                    ping_interval=10,
                    max_outstanding_pings=2,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                )
            except (NatsError, OSError, TimeoutError) as error:
                self.last_error = str(error) or type(error).__name__
                log.warning("nats_connect_failed", error=self.last_error)
                await asyncio.sleep(1)
            else:
                self._js = self._client.jetstream(timeout=PUBLISH_SECONDS)
                log.info("nats_connected")
                return

    async def _on_error(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self.last_error:
            log.error("nats_error", error=text)
        self.last_error = text

    async def _on_disconnect(self) -> None:
        log.warning("nats_disconnected")

    async def _on_reconnect(self) -> None:
        self.last_error = None
        log.info("nats_reconnected")

    async def jetstream(self) -> JetStreamContext:
        """Return the JetStream context, waiting for the first connection."""
        if self._js is None:
            if self._starting is None:
                raise PublishError("the bus was not started")
            await asyncio.shield(self._starting)
        if self._js is None:
            raise PublishError("not connected to NATS")
        return self._js

    def require_connection(self) -> None:
        """Refuse to send into a buffer that dies with the process; the outbox is the better one."""
        if not self.connected:
            raise PublishError("not connected to NATS")

    async def publish(self, event: Event, stream: str) -> None:
        """Store one event durably; PublishError when that is not certain."""
        js = await self.jetstream()
        self.require_connection()
        try:
            await js.publish(
                event.subject,
                event.data,
                timeout=PUBLISH_SECONDS,
                stream=stream,
                headers=event.headers(),
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise PublishError(f"{event.subject}: {error!r}") from error

    async def publish_batch(self, events: Sequence[Event], stream: str) -> None:
        """Store all events or raise; one fsync for the batch where the server can.

        An atomic batch that holds an event the stream knows already is refused whole, so it is
        then sent one by one: each is deduplicated by its id.
        """
        if len(events) > 1:
            for start in range(0, len(events), BATCH_LIMIT):
                part = events[start : start + BATCH_LIMIT]
                if not await self._publish_atomically(part, stream):
                    for event in part:
                        await self.publish(event, stream)
        elif events:
            await self.publish(events[0], stream)

    async def _publish_atomically(self, events: Sequence[Event], stream: str) -> bool:
        await self.jetstream()
        self.require_connection()
        batch = secrets.token_hex(16)
        try:
            for number, event in enumerate(events[:-1], start=1):
                await self._client.publish(
                    event.subject,
                    event.data,
                    headers=self._batch_headers(event, stream, batch, number),
                )
            last = events[-1]
            headers = self._batch_headers(last, stream, batch, len(events))
            headers["Nats-Batch-Commit"] = "1"
            answer = await self._client.request(
                last.subject, last.data, timeout=PUBLISH_SECONDS, headers=headers
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise PublishError(f"batch of {len(events)}: {error!r}") from error
        body = json.loads(answer.data)
        if "error" in body:
            refused = body["error"]
            if refused.get("err_code") != _DUPLICATE_IN_BATCH:
                log.warning("nats_batch_refused", error=refused)
            return False
        return bool(body.get("count") == len(events))

    @staticmethod
    def _batch_headers(event: Event, stream: str, batch: str, number: int) -> dict[str, str]:
        return event.headers() | {
            "Nats-Expected-Stream": stream,
            "Nats-Batch-Id": batch,
            "Nats-Batch-Sequence": str(number),
        }

    async def pending(self, stream: str, consumer: str) -> int:
        """Return how many messages the consumer has not yet acknowledged or been sent."""
        js = await self.jetstream()
        self.require_connection()
        try:
            state = await js.consumer_info(stream, consumer, timeout=3)
        except (NatsError, APIError, OSError, TimeoutError) as error:
            raise PublishError(f"consumer {consumer}: {error!r}") from error
        return (state.num_pending or 0) + (state.num_ack_pending or 0)

    async def flush(self, seconds: float = 2.0) -> None:
        """Wait until the server has read everything sent so far."""
        await self._client.flush(timeout=max(1, int(seconds)))

    async def close(self) -> None:
        """Leave within a few seconds, whatever state the connection is in."""
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            with suppress(asyncio.CancelledError):
                await self._starting
        with suppress(NatsError, OSError, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._client.close(), timeout=2)
