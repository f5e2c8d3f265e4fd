"""The shape of a life cycle: data that the use case, the API, the docs and the tests read."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, Line64, Text2000, Timestamp
from shared.kernel.errors import ConflictError


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


def moves(
    sources: Iterable[str], targets: Iterable[str], actors: Iterable[Actor], *guards: str
) -> list[Move]:
    """Return one row of a contract's table as single moves."""
    wanted = list(targets)
    return [Move(s, t, frozenset(actors), guards) for s in sources for t in wanted]


class Lifecycle:
    """The moves of one kind of resource; at most one from a status to another.

    Of ways that are equally short, `path` takes the one by way of `plainest`: the status that
    says least of what has happened.
    """

    def __init__(self, *rows: Iterable[Move], plainest: str) -> None:
        self.moves = tuple(move for row in rows for move in row)
        self._plainest_first = sorted(self.moves, key=lambda move: move.target != plainest)
        self._found = {(move.source, move.target): move for move in self.moves}
        self._paths: dict[tuple[str, str], tuple[Move, ...] | None] = {}
        if len(self._found) != len(self.moves):
            raise ValueError("two moves lead from one status to the same other one")

    def find(self, source: str, target: str) -> Move | None:
        """Return the move, whoever may make it."""
        return self._found.get((source, target))

    def allowed(self, source: str, actors: frozenset[Actor]) -> list[str]:
        """Return where one of `actors` may go from `source`, in the table's order."""
        return [m.target for m in self.moves if m.source == source and m.actors & actors]

    def require(self, source: str, target: str, actors: frozenset[Actor]) -> Move:
        """Return the move that one of `actors` makes, or refuse and name the allowed ones."""
        move = self.find(source, target)
        if move is None or not move.actors & actors:
            raise move_refused(source, target, self.allowed(source, actors))
        return move

    def path(self, source: str, target: str) -> tuple[Move, ...] | None:
        """Return the shortest way, whoever walks it; None when there is none."""
        if (source, target) not in self._paths:
            self._paths[source, target] = self._search(source, target)
        return self._paths[source, target]

    def _search(self, source: str, target: str) -> tuple[Move, ...] | None:
        came_by: dict[str, Move] = {}
        queue = deque([source])
        while queue:
            here = queue.popleft()
            if here == target:
                break
            for move in self._plainest_first:
                if move.source == here and move.target not in came_by and move.target != source:
                    came_by[move.target] = move
                    queue.append(move.target)
        way: list[Move] = []
        here = target
        while here != source:
            if here not in came_by:
                return None
            way.append(came_by[here])
            here = came_by[here].source
        return tuple(reversed(way))


def move_refused(source: str, target: str, allowed: list[str]) -> ConflictError:
    """Return the refusal of a move that the table or the caller's role does not allow."""
    ways = ", ".join(allowed) or "–"
    return ConflictError(
        "transition_not_allowed",
        f"{source} cannot become {target} now. Allowed for you: {ways}.",
        f"Không thể chuyển từ {source} sang {target} lúc này. Bạn được chuyển sang: {ways}.",
        extra={"current_status": source, "allowed": allowed},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One entry of a history: a move that was made, or the beginning (`source` is None)."""

    source: str | None
    target: str
    actor: str
    role: str
    reason: str | None = None
    checklist: Mapping[str, bool] | None = None


Resource = TypeVar("Resource")


@dataclass(frozen=True, slots=True)
class Stored(Generic[Resource]):
    """A resource as it stands; `announced` once an event has told others that it exists."""

    resource: Resource
    announced: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A stored resource without what it says; `digest` tells whether something says the same."""

    id: UUID
    version: int
    status: str
    owner: str
    created_at: datetime
    announced: bool
    digest: bytes


@dataclass(frozen=True, slots=True)
class Change(Generic[Resource]):
    """What one write makes: the new state, the steps to it, and the fact that others hear of."""

    after: Stored[Resource]
    steps: tuple[Step, ...]
    fact: str | None
    created: bool = False
    digest: bytes = b""
    """Of what the resource says."""


class TransitionIn(Contract):
    """A wish to move a resource to another status."""

    to: str = Field(max_length=32, examples=["SUBMITTED"])
    reason: Text2000 | None = None
    checklist: dict[Line64, bool] | None = Field(
        None, max_length=30, description="Answers to the check-list, where the move needs one."
    )


class Transition(Contract):
    """A step that was taken."""

    from_status: str | None = Field(alias="from", serialization_alias="from")
    to: str
    actor: str
    role: str
    reason: str | None
    checklist: dict[str, bool] | None = None
    version: int
    at: Timestamp


class TransitionHistory(Contract):
    """The way so far, and what this caller may do now."""

    resource_id: UUID
    status: str
    version: int
    items: list[Transition]
    allowed: list[str]
