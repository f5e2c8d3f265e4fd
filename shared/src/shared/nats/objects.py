"""Streams and consumers as JetStream is told of them, and how one that exists differs from that.

The provisioning and the drift check read the same table (`shared.contracts.messaging`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Self

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from shared.contracts.messaging import ConsumerSpec, StreamSpec

_ABSENT: tuple[object, ...] = (None, "", 0, False, [], {})
"""The server leaves out what is not set."""


def stream_config(spec: StreamSpec) -> StreamConfig:
    return StreamConfig(
        name=spec.name,
        subjects=list(spec.subjects),
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=spec.max_age_seconds,
        max_bytes=spec.max_bytes,
        max_msg_size=spec.max_msg_size,
        duplicate_window=spec.duplicate_window_seconds,
        deny_delete=True,
        deny_purge=True,
        allow_atomic=True,
    )


def consumer_config(spec: ConsumerSpec) -> ConsumerConfig:
    return ConsumerConfig(
        name=spec.name,
        durable_name=spec.name,
        filter_subject=spec.filter_subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=spec.ack_wait_seconds,
        max_ack_pending=spec.max_ack_pending,
        max_deliver=-1,
    )


def differences(wanted: StreamConfig | ConsumerConfig, found: Mapping[str, Any]) -> list[str]:
    """Name each setting that differs from the table, with what it is and what it should be."""
    told: list[str] = []
    for name, value in wanted.as_dict().items():
        should = value.value if isinstance(value, Enum) else value
        there = found.get(name)
        if there != should and not (there in _ABSENT and should in _ABSENT):
            told.append(f"{name} is {there!r}, should be {should!r}")
    return told


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as the server describes it."""

    created: datetime
    first_seq: int
    last_seq: int
    messages: int
    config: Mapping[str, Any]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        state = body["state"]
        return cls(
            created=datetime.fromisoformat(body["created"]),
            first_seq=int(state["first_seq"]),
            last_seq=int(state["last_seq"]),
            messages=int(state["messages"]),
            config=body["config"],
        )

    @property
    def holes(self) -> int:
        """How many messages between the first and the last are not there; none may be deleted."""
        return self.last_seq - self.first_seq + 1 - self.messages if self.messages else 0


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """A consumer as the server describes it."""

    acked_to: int
    waiting: int
    """Not yet handed out."""
    in_hand: int
    """Handed out, not yet acknowledged."""
    redelivered: int
    """Of those, handed out more than once."""
    config: Mapping[str, Any]

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return cls(
            acked_to=int(body["ack_floor"]["stream_seq"]),
            waiting=int(body["num_pending"]),
            in_hand=int(body["num_ack_pending"]),
            redelivered=int(body["num_redelivered"]),
            config=body["config"],
        )
