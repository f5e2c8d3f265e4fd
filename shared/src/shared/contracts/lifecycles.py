"""The shape of a life cycle: data that the use case, the API, the docs and the tests read."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, Text2000, Timestamp


class Actor(StrEnum):
    """Who may move a thing: a relation to it, or a role."""

    OWNER = "OWNER"
    DOST = "DOST"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed step and what it needs."""

    source: str
    target: str
    actors: frozenset[Actor]
    guards: tuple[str, ...] = ()


class TransitionIn(Contract):
    """A wish to move a resource to another status."""

    to: str = Field(max_length=32, examples=["SUBMITTED"])
    reason: Text2000 | None = None


class Transition(Contract):
    """A step that was taken."""

    from_status: str | None = Field(alias="from", serialization_alias="from")
    to: str
    actor: str
    role: str
    reason: str | None
    version: int
    at: Timestamp


class TransitionHistory(Contract):
    """The way so far, and what this caller may do now."""

    resource_id: UUID
    status: str
    version: int
    items: list[Transition]
    allowed: list[str]
