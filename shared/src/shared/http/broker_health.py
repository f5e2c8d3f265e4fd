"""What ails a service's way to the broker, told apart by the broker's own words."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from shared.contracts.messaging import ConsumerSpec
from shared.kernel.health import Check

ANSWER_SECONDS = 0.6
REMEMBERED_SECONDS = 10.0
_SIGNS = (
    ("authorization", "broker_wrong_password"),
    ("authentication", "broker_wrong_password"),
    ("permissions violation", "broker_no_rights"),
    ("maximum bytes", "stream_full"),
    ("10077", "stream_full"),
    ("maximum messages", "stream_full"),
    ("insufficient resources", "broker_disk_full"),
    ("10023", "broker_disk_full"),
    ("no space left", "broker_disk_full"),
    ("resource limits exceeded", "broker_disk_full"),
    ("jetstream system temporarily unavailable", "broker_disk_full"),
    ("timeout", "broker_silent"),
)
"""Looked for in this order, in small letters; numbers are the server's error codes."""


class Connection(Protocol):
    """The service's connection to the broker."""

    last_error: str | None

    @property
    def connected(self) -> bool: ...
    async def stream_state(self, stream: str) -> object: ...
    async def consumer_state(self, stream: str, consumer: str) -> object: ...


class Sender(Protocol):
    """The relay: what keeps it from sending is the truth about the way to the stream."""

    waits_for: str | None


class BrokerHealth:
    """Events wait in the outbox while the broker is away, so nothing here is more than `warn`."""

    def __init__(self, connection: Connection, sender: Sender, stream: str) -> None:
        self._connection = connection
        self._sender = sender
        self._stream = stream
        self._said = ""
        self._said_at = 0.0

    async def check(self) -> Check:
        """Ask the broker for the service's own stream: connected alone does not mean alive."""
        overheard = self._overheard()
        if not self._connection.connected:
            said = overheard or "not connected"
            return Check("warn", _code(said) or "broker_away", output=said)
        refused = self._sender.waits_for or await self._ask()
        # A forbidden subject looks like a time-out where it is used; the reason comes apart.
        said = self._overheard()
        code = _code(f"{said} {refused}" if refused else said)
        if code and (refused or code == "broker_no_rights"):
            return Check("warn", code, output="; ".join(filter(None, (refused, said))))
        return Check("pass")

    def _overheard(self) -> str:
        """Return what the broker complained of lately; it says so once, and of a retry again."""
        if said := self._connection.last_error:
            self._said, self._said_at = said, time.monotonic()
            if self._connection.connected:
                self._connection.last_error = None
        recent = time.monotonic() - self._said_at < REMEMBERED_SECONDS
        return self._said if recent else ""

    async def _ask(self) -> str | None:
        # The request ends by itself: one that is cancelled is a trap for its late answer.
        request = asyncio.ensure_future(self._connection.stream_state(self._stream))
        done, _ = await asyncio.wait({request}, timeout=ANSWER_SECONDS)
        if not done:
            request.add_done_callback(lambda late: late.cancelled() or late.exception())
            return f"timeout: no answer in {ANSWER_SECONDS:g} s"
        if error := request.exception():
            return str(error) or repr(error)
        return None


async def objects_exist(
    connection: Connection, stream: str, consumers: Sequence[ConsumerSpec]
) -> Check:
    """Look for the stream and the consumers that the provisioning makes; without a broker pass."""
    from shared.nats import MissingError  # the gateway has no use for nats-py

    if not connection.connected:
        return Check("pass", output="the broker is away; events wait in the outbox")
    missing = ""
    try:
        missing = f"stream {stream}"
        await connection.stream_state(stream)
        for spec in consumers:
            missing = f"consumer {spec.name}"
            await connection.consumer_state(spec.stream, spec.name)
    except MissingError:
        return Check("fail", "messaging_missing", output=missing)
    except Exception as error:  # noqa: BLE001 - what cannot be seen is the health check's to tell
        return Check("pass", output=str(error) or repr(error))
    return Check("pass")


def _code(said: str) -> str | None:
    lower = said.lower()
    return next((code for sign, code in _SIGNS if sign in lower), None)
