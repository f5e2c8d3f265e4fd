"""Subjects, streams and consumers in one table.

The provisioning job creates what stands here, the services check it for drift, nobody else
creates anything.
"""

from dataclasses import dataclass

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One JetStream stream per owner (settled values of the architecture)."""

    name: str
    subjects: tuple[str, ...]
    service: str
    max_age_seconds: int = 30 * DAY_SECONDS
    duplicate_window_seconds: int = 600
    max_msg_size: int = 1024 * 1024
    max_bytes: int = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """A durable pull consumer per service and purpose."""

    name: str
    stream: str
    service: str
    filter_subject: str
    batch: int = 64
    ack_wait_seconds: int = 4
    """What a killed reader had in hand is handed out again after so long (decision 0012)."""
    max_ack_pending: int = 256
    """More than a batch: new messages need not wait for those of a killed reader."""
    rest_seconds: float = 0.0
    """Between batches that are not full: a count may be late, and is cheaper in larger batches."""


STREAMS: tuple[StreamSpec, ...] = (
    StreamSpec("DEMAND", ("demand.>",), "svc_demand"),
    StreamSpec("SUPPLY", ("supply.>",), "svc_supply"),
    StreamSpec("MATCHING", ("matching.>",), "svc_matching"),
    StreamSpec("REPORTING", ("reporting.>",), "svc_reporting"),
)

_COUNTED = 0.1

CONSUMERS: tuple[ConsumerSpec, ...] = (
    ConsumerSpec("matching-demand", "DEMAND", "svc_matching", "demand.request.>"),
    ConsumerSpec("matching-supply", "SUPPLY", "svc_matching", "supply.offer.>"),
    ConsumerSpec(
        "reporting-demand", "DEMAND", "svc_reporting", "demand.request.>", rest_seconds=_COUNTED
    ),
    ConsumerSpec(
        "reporting-supply", "SUPPLY", "svc_reporting", "supply.offer.>", rest_seconds=_COUNTED
    ),
    ConsumerSpec(
        "reporting-matching", "MATCHING", "svc_reporting", "matching.>", rest_seconds=_COUNTED
    ),
)


def consumers_of(service: str) -> tuple[ConsumerSpec, ...]:
    """Return the consumers that `service` reads."""
    return tuple(spec for spec in CONSUMERS if spec.service == service)


def stream_of(service: str) -> StreamSpec:
    """Return the stream that `service` writes."""
    return next(spec for spec in STREAMS if spec.service == service)
