"""The envelope of every event: CloudEvents 1.0, binary mode over NATS headers."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

SPEC_VERSION = "1.0"
SPEC_MAJOR = "1"
CONTENT_TYPE = "application/json"
LARGEST_NUMBER = 2**31 - 1
"""Versions and epochs are integers of four bytes in every reader's tables."""


class MalformedEventError(ValueError):
    """The message is not a CloudEvent of ours; retrying cannot help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact about one aggregate. `data` is the aggregate's whole state as JSON bytes.

    `type` is `<owner>.<aggregate>.<fact in the past>.v<major>`; the NATS subject is `type` plus
    the aggregate's id. `id` is also the `Nats-Msg-Id`, so that a repeated publish is one message.
    """

    id: UUID
    type: str
    source: str
    aggregate_id: UUID
    aggregate_version: int
    time: datetime
    data: bytes
    db_epoch: int = 1
    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None

    @property
    def subject(self) -> str:
        return f"{self.type}.{self.aggregate_id}"

    def headers(self) -> dict[str, str]:
        """Return the CloudEvents attributes as NATS headers (`ce-` prefix)."""
        return self._own_headers() | _common_headers(*self._common())

    def header_lines(self) -> str:
        """Return the same as lines of the NATS protocol."""
        own = "".join([f"{name}: {value}\r\n" for name, value in self._own_headers().items()])
        return own + _common_lines(*self._common())

    def _own_headers(self) -> dict[str, str]:
        own = str(self.id)
        return {"Nats-Msg-Id": own, "ce-id": own, "ce-subject": str(self.aggregate_id)}

    def _common(self) -> "_Common":
        return (
            self.type,
            self.source,
            self.aggregate_version,
            self.time,
            self.db_epoch,
            self.traceparent,
            self.correlation_id,
            self.causation_id,
        )

    @classmethod
    def from_message(cls, headers: dict[str, str] | None, data: bytes) -> "Event":
        """Read an event; MalformedEventError when an attribute is missing or unreadable."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        try:
            found = cls(
                id=UUID(given["ce-id"]),
                type=given["ce-type"],
                source=given["ce-source"],
                aggregate_id=UUID(given["ce-subject"]),
                aggregate_version=int(given["ce-aggregateversion"]),
                time=datetime.fromisoformat(given["ce-time"]),
                data=data,
                db_epoch=int(given.get("ce-dbepoch", "1")),
                traceparent=given.get("traceparent"),
                correlation_id=given.get("ce-correlationid"),
                causation_id=given.get("ce-causationid"),
            )
        except (KeyError, ValueError) as error:
            raise MalformedEventError(f"not a Ketnoi event: {error!r}") from error
        spec = given.get("ce-specversion", "none")
        if spec.partition(".")[0] != SPEC_MAJOR:
            raise MalformedEventError(f"CloudEvents {spec}; {SPEC_VERSION} is read")
        if found.time.tzinfo is None:
            raise MalformedEventError("ce-time has no offset from UTC")
        if not all(
            0 < number <= LARGEST_NUMBER for number in (found.aggregate_version, found.db_epoch)
        ):
            raise MalformedEventError("version or epoch out of range")
        return found


_Common = tuple[str, str, int, datetime, int, str | None, str | None, str | None]


def _common_headers(
    event_type: str,
    source: str,
    version: int,
    time: datetime,
    db_epoch: int,
    traceparent: str | None,
    correlation_id: str | None,
    causation_id: str | None,
) -> dict[str, str]:
    headers = {
        "content-type": CONTENT_TYPE,
        "ce-specversion": SPEC_VERSION,
        "ce-type": event_type,
        "ce-source": source,
        "ce-time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "ce-aggregateversion": str(version),
        "ce-dbepoch": str(db_epoch),
    }
    optional = {
        "traceparent": traceparent,
        "ce-correlationid": correlation_id,
        "ce-causationid": causation_id,
    }
    return headers | {name: value for name, value in optional.items() if value}


@lru_cache(maxsize=64)
def _common_lines(*common: Any) -> str:
    """The events of one transaction, and a file makes hundreds, differ in their ids alone."""
    return "".join(f"{name}: {value}\r\n" for name, value in _common_headers(*common).items())
