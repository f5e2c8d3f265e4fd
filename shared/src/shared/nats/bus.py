"""A connection to NATS that never gives up, and durable publishing on it.

Rules measured on nats-server 2.15 and nats-py 2.16: a time-out means *unknown*, so the same event
id is sent again until it is acknowledged; a denied permission shows only in `error_cb`; some
errors of the server close the client for good, so a new one takes its place.
"""

import asyncio
import json
import random
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import PubAck

from shared.contracts.events import Event
from shared.kernel.faults import crash_point
from shared.nats.objects import ConsumerState, StreamState
from shared.nats.wire import publish_block
from shared.telemetry import get_logger

log = get_logger("nats")

PUBLISH_SECONDS = 5.0
INFO_SECONDS = 3.0
BATCH_LIMIT = 500
"""Messages in one atomic batch; the server allows 1,000."""
BATCH_BYTES = 4 * 1024 * 1024
WINDOW = 64
"""Messages on their way at once where a batch cannot be stored as one."""
_DUPLICATE_IN_BATCH = 10201
_NOT_FOUND = 404


class PublishError(RuntimeError):
    """The broker has not confirmed; nothing is known about what it stored."""


class MissingError(PublishError):
    """The broker says that there is no such stream or consumer."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the stream keeps a batch: one place an event, in their order.

    `lowest_new` is the first place that was given now; None when the stream knew every event.
    """

    places: list[int]
    lowest_new: int | None


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
        self._closing = False
        self.last_error: str | None = None
        self.connections = 0
        """How often a connection was made; what the server was asked on an earlier one is lost."""
        self.returned = asyncio.Event()
        """Set with every connection."""

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
                    closed_cb=self._on_closed,
                )
            except (NatsError, OSError, TimeoutError) as error:
                self.last_error = str(error) or type(error).__name__
                log.warning("nats_connect_failed", error=self.last_error)
                await asyncio.sleep(1)
            else:
                self._js = self._client.jetstream(timeout=PUBLISH_SECONDS)
                self._note_connection()
                log.info("nats_connected")
                return

    def _note_connection(self) -> None:
        self.last_error = None
        self.connections += 1
        self.returned.set()

    async def _on_error(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self.last_error:
            log.error("nats_error", error=text)
        self.last_error = text

    async def _on_disconnect(self) -> None:
        log.warning("nats_disconnected")

    async def _on_reconnect(self) -> None:
        self._note_connection()
        log.info("nats_reconnected")

    async def _on_closed(self) -> None:
        """Begin anew: the server's refusal (a changed password, say) has ended the client."""
        if self._closing or self._js is None:
            return
        self.last_error = str(self._client.last_error or "the server closed the connection")
        log.error("nats_closed", error=self.last_error)
        self._js = None
        self._client = Client()
        self._starting = asyncio.create_task(self._connect(), name="nats-connect")

    async def jetstream(self) -> JetStreamContext:
        """Return the JetStream context, waiting for the first connection."""
        if self._js is None:
            if self._starting is None:
                raise PublishError("the bus was not started")
            await asyncio.shield(self._starting)
        if self._js is None:
            raise PublishError("not connected to NATS")
        return self._js

    async def client(self) -> Client:
        """Return the connection, waiting for the first one."""
        await self.jetstream()
        return self._client

    def require_connection(self) -> None:
        """Refuse to send into a buffer that dies with the process; the outbox is the better one."""
        if not self.connected:
            raise PublishError("not connected to NATS")

    async def publish(self, event: Event, stream: str) -> PubAck:
        """Store one event durably; PublishError when that is not certain."""
        js = await self.jetstream()
        self.require_connection()
        try:
            return await js.publish(
                event.subject,
                event.data,
                timeout=PUBLISH_SECONDS,
                stream=stream,
                headers=event.headers(),
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise PublishError(f"{event.subject}: {str(error) or repr(error)}") from error

    async def publish_batch(self, events: Sequence[Event], stream: str) -> Stored:
        """Store all events or raise; one fsync for the batch where the server can.

        An atomic batch that holds an event the stream knows already is refused whole, so it is
        then sent one by one: each is deduplicated by its id.
        """
        places: list[int] = []
        new: list[int] = []
        for part in _parts(events):
            last = await self._publish_atomically(part, stream) if len(part) > 1 else None
            if last is None:
                for ack in await self._publish_singly(part, stream):
                    places.append(ack.seq)
                    if not ack.duplicate:
                        new.append(ack.seq)
            else:
                stored = range(last - len(part) + 1, last + 1)
                places += stored
                new.append(stored[0])
        return Stored(places, min(new, default=None))

    async def _publish_singly(self, events: Sequence[Event], stream: str) -> list[PubAck]:
        acks: list[PubAck] = []
        for start in range(0, len(events), WINDOW):
            window = events[start : start + WINDOW]
            found = await asyncio.gather(
                *(self.publish(event, stream) for event in window), return_exceptions=True
            )
            for ack in found:
                if isinstance(ack, BaseException):
                    raise ack
                acks.append(ack)
            crash_point("relay_mid_batch")
        return acks

    async def _publish_atomically(self, events: Sequence[Event], stream: str) -> int | None:
        """Return the place of the last one; None when the server refused the batch."""
        await self.jetstream()
        self.require_connection()
        *others, last = events
        batch = {"Nats-Expected-Stream": stream, "Nats-Batch-Id": secrets.token_hex(16)}
        try:
            for command in publish_block(others, batch):
                await self._client._send_command(command)  # noqa: SLF001 - see shared.nats.wire
                crash_point("relay_mid_batch")
            answer = await self._client.request(
                last.subject,
                last.data,
                timeout=PUBLISH_SECONDS,
                headers=last.headers()
                | batch
                | {"Nats-Batch-Sequence": str(len(events)), "Nats-Batch-Commit": "1"},
            )
        except (NatsError, OSError, TimeoutError) as error:
            raise PublishError(f"batch of {len(events)}: {error!r}") from error
        body = json.loads(answer.data)
        if "error" in body or body.get("count") != len(events):
            if body.get("error", {}).get("err_code") != _DUPLICATE_IN_BATCH:
                log.warning("nats_batch_refused", error=body)
            return None
        return int(body["seq"])

    async def write(self, block: bytes) -> None:
        """Send protocol bytes; nothing is known of what becomes of them."""
        if self.connected:
            with suppress(NatsError, OSError):
                client = self._client
                await client._send_command(block)  # noqa: SLF001 - see shared.nats.wire
                await client._flush_pending()  # noqa: SLF001

    async def stream_state(self, stream: str) -> StreamState:
        """Ask for a stream; MissingError when there is none."""
        return StreamState.read(await self._ask(f"$JS.API.STREAM.INFO.{stream}"))

    async def consumer_state(self, stream: str, consumer: str) -> ConsumerState:
        """Ask for a consumer; MissingError when there is none."""
        body = await self._ask(f"$JS.API.CONSUMER.INFO.{stream}.{consumer}")
        return ConsumerState.read(body)

    async def _ask(self, subject: str) -> dict[str, Any]:
        self.require_connection()
        try:
            answer = await self._client.request(subject, timeout=INFO_SECONDS)
        except (NatsError, OSError, TimeoutError) as error:
            raise PublishError(f"{subject}: {self.last_error or repr(error)}") from error
        body: dict[str, Any] = json.loads(answer.data)
        if refused := body.get("error"):
            kind = MissingError if refused.get("code") == _NOT_FOUND else PublishError
            raise kind(str(refused.get("description", refused)))
        return body

    async def pending(self, stream: str, consumer: str) -> int:
        """Return how many messages the consumer has not yet acknowledged or been sent."""
        await self.jetstream()
        state = await self.consumer_state(stream, consumer)
        return state.waiting + state.in_hand

    async def flush(self, seconds: float = 2.0) -> None:
        """Wait until the server has read everything sent so far."""
        await self._client.flush(timeout=max(1, int(seconds)))

    async def close(self) -> None:
        """Leave within a few seconds, whatever state the connection is in."""
        self._closing = True
        if self._starting is not None and not self._starting.done():
            self._starting.cancel()
            with suppress(asyncio.CancelledError):
                await self._starting
        with suppress(NatsError, OSError, TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(self._client.close(), timeout=2)


def _parts(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Cut into batches that the server takes."""
    start, size = 0, 0
    for place, event in enumerate(events):
        size += len(event.data)
        if place > start and (place - start == BATCH_LIMIT or size > BATCH_BYTES):
            yield events[start:place]
            start, size = place, len(event.data)
    if start < len(events):
        yield events[start:]
