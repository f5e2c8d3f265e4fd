"""Whole lists written at once: pairs, near misses, runs and states in one statement."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import case, literal
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.matches import MatchState
from svc_matching.storage.bulk import as_columns, as_fixed, insert_given, upsert_given
from svc_matching.storage.diagnoses import WRITE_STATES, Miss, states_given
from svc_matching.storage.tables import match, match_run, near_miss


class ListedPair(NamedTuple):
    """What is written of a pair that enters a list or changes in it."""

    id: UUID
    demand_id: UUID
    supply_id: UUID
    score: int
    relevance: int
    confidence: int
    reasons: int
    demand_version: int
    supply_version: int
    components: bytes


class Run(NamedTuple):
    """That a demand version was ranked in an epoch, and how many pairs were listed."""

    demand_id: UUID
    demand_version: int
    index_epoch: int
    listed: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What ranked the lists, and when."""

    index_epoch: int
    weights_version: str
    vocabulary_version: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """The rows of some lists."""

    listed: list[ListedPair] = field(default_factory=list)
    missed: list[Miss] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)


_ORIGIN = ("index_epoch", "weights_version", "vocabulary_version")
# A stale pair is proposed again; what people decided about a pair stays.
_STATE = case(
    (match.c.state == MatchState.STALE, literal(MatchState.PROPOSED.value)),
    else_=match.c.state,
)
_PAIRS = upsert_given(
    match,
    ListedPair._fields,
    key=("demand_id", "supply_id"),
    fixed=("state", "listed", *_ORIGIN, "created_at", "updated_at"),
    kept=("id", "created_at"),
    changed={"state": _STATE},
)
_MISSES = upsert_given(near_miss, Miss._fields, key=("demand_id", "supply_id"))
# Once in every epoch, however often it is done.
_RUNS = insert_given(match_run, Run._fields, ("created_at",)).on_conflict_do_nothing()
_WRITE = WRITE_STATES.add_cte(_PAIRS.cte("pairs"), _MISSES.cte("misses"), _RUNS.cte("runs"))


async def write(connection: AsyncConnection, written: Written, origin: Origin) -> None:
    """Write the lists; every demand among them has a state."""
    same = {name: getattr(origin, name) for name in _ORIGIN}
    same |= {"state": MatchState.PROPOSED.value, "listed": True}
    same |= {"created_at": origin.now, "updated_at": origin.now}
    given = as_columns(match, ListedPair._fields, written.listed) | as_fixed(match, same)
    given |= as_columns(near_miss, Miss._fields, written.missed)
    given |= as_columns(match_run, Run._fields, written.runs)
    given |= as_fixed(match_run, {"created_at": origin.now})
    await connection.execute(_WRITE, given | states_given(written.states))
