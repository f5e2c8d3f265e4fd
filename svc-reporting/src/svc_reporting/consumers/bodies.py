"""Reads the bodies of events."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.contracts.events import Event

Body = TypeVar("Body", bound=BaseModel)


class UnreadableBodyError(ValueError):
    """The body is not what the event's type promises; names the places, never the content."""


def read_bodies(
    events: Sequence[Event], aggregate: str, body: type[Body]
) -> list[tuple[Event, Body]]:
    """Return the events about `aggregate` (`demand.request`) with their bodies.

    Any fact of major 1 is read, one that is new as well, for each carries the whole state. Other
    aggregates and other majors are somebody else's: while a new major is introduced, the
    old one is still sent.
    """
    return [(event, _read(event, body)) for event in events if _is_about(event, aggregate)]


def _is_about(event: Event, aggregate: str) -> bool:
    return event.type.startswith(f"{aggregate}.") and event.type.endswith(".v1")


def _read(event: Event, body: type[Body]) -> Body:
    try:
        return body.model_validate_json(event.data)
    except ValidationError as error:
        broken = "; ".join(
            f"{'/'.join(map(str, found['loc']))}: {found['type']}"
            for found in error.errors(include_input=False, include_url=False)[:5]
        )
        raise UnreadableBodyError(f"{event.type}: {broken}") from None
