"""Take in demands and supplies, and let the lists follow."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from shared.contracts.demands import DemandProfile, DemandState
from shared.contracts.supplies import SupplyProfile, SupplyState
from shared.outbox import UnitOfWork
from svc_matching.domain.items import OPEN, DemandArrival, ItemKind, SupplyArrival, published_by
from svc_matching.engine.analyses import analyser
from svc_matching.engine.engine import Engine
from svc_matching.engine.views import View, pack, views_of
from svc_matching.storage import diagnoses, items, matches
from svc_matching.storage.items import Written
from svc_matching.usecases.index_rows import put_demand, put_supply
from svc_matching.usecases.list_writing import Revision
from svc_matching.usecases.lists import (
    close_lists,
    postpone_lists,
    rank_all,
    revise_lists,
    write_ranked,
)
from svc_matching.usecases.matcher import Matcher

Arrival = TypeVar("Arrival", DemandArrival, SupplyArrival)
Views = tuple[View, ...]

_DEMAND_FIELDS = set(DemandProfile.model_fields)
_SUPPLY_FIELDS = set(SupplyProfile.model_fields)


@dataclass(frozen=True, slots=True)
class Fresh(Generic[Arrival]):
    """An arrival that was newer than our copy, or that we had none of."""

    arrival: Arrival
    views: Views
    written: Written


async def take_demands(
    work: UnitOfWork, matcher: Matcher, arrivals: Sequence[DemandArrival]
) -> None:
    """Rank published demands anew; close the lists of those that are published no longer."""
    fresh = await _write_newer(work, matcher, ItemKind.DEMAND, arrivals, _DEMAND_FIELDS)
    if not fresh:
        return
    matcher.doubt(each.arrival.state.id for each in fresh)
    revisions = await matcher.run(_place_demands, matcher.engine, fresh)
    note_unembedded(matcher, fresh)
    new = frozenset(each.arrival.state.id for each in fresh if each.written.is_new)
    await write_ranked(work, matcher, revisions, new)
    closed = [each.arrival.state for each in fresh if each.arrival.state.status is not OPEN]
    await close_lists(work, [state.id for state in closed])


async def take_supplies(
    work: UnitOfWork, matcher: Matcher, arrivals: Sequence[SupplyArrival]
) -> None:
    """Update the lists that the supplies enter, leave, or stand in."""
    fresh = await _write_newer(work, matcher, ItemKind.SUPPLY, arrivals, _SUPPLY_FIELDS)
    if not fresh:
        return
    ids = frozenset(each.arrival.state.id for each in fresh)
    await matcher.need_demands(work.connection)
    matcher.doubt(ids)
    concerned = await matcher.run(_place_supplies, matcher.engine, fresh)
    note_unembedded(matcher, fresh)
    known = [each.arrival.state.id for each in fresh if not each.written.is_new]
    await follow_supplies(work, matcher, concerned, ids, known)
    matcher.note_supplies(len(ids))


async def follow_supplies(
    work: UnitOfWork,
    matcher: Matcher,
    concerned: dict[UUID, set[UUID]],
    changed: frozenset[UUID],
    known: Collection[UUID],
) -> None:
    """Update the lists of the demands that are concerned, or hold one of the `known` supplies.

    While supplies flood in only the latter: what is gone or has changed is not shown any longer.
    """
    holders: set[UUID] = set()
    if known:
        holders = await matches.read_holders(work.connection, known)
        holders |= await diagnoses.read_concerned(work.connection, known)
        for demand_id in holders:
            concerned.setdefault(demand_id, set())
    if matcher.is_flooded:
        await postpone_lists(work, matcher, concerned.keys() - holders)
        concerned = {demand_id: concerned[demand_id] for demand_id in holders}
    await revise_lists(work, matcher, concerned, changed)


async def _write_newer(
    work: UnitOfWork,
    matcher: Matcher,
    kind: ItemKind,
    arrivals: Iterable[Arrival],
    profile_fields: set[str],
) -> list[Fresh[Arrival]]:
    """Keep the newest arrival of each id if it is newer than our copy; the rest came late."""
    newest: dict[UUID, Arrival] = {}
    for arrival in arrivals:
        known = newest.get(arrival.state.id)
        if known is None or arrival.age > known.age:
            newest[arrival.state.id] = arrival
    if not newest:
        return []
    states = [arrival.state for arrival in newest.values()]
    views = dict(zip(newest, await matcher.run(_analyse, states), strict=True))
    written = await items.write(
        work.connection,
        [
            _row(work, kind, arrival, views[item_id], profile_fields)
            for item_id, arrival in newest.items()
        ],
    )
    return [Fresh(newest[item_id], views[item_id], each) for item_id, each in written.items()]


def _analyse(profiles: Sequence[DemandProfile | SupplyProfile]) -> list[Views]:
    return [views_of(profile) for profile in profiles]


def _row(
    work: UnitOfWork,
    kind: ItemKind,
    arrival: DemandArrival | SupplyArrival,
    views: Views,
    profile_fields: set[str],
) -> dict[str, object]:
    state = arrival.state
    return {
        "id": state.id,
        "kind": kind,
        "version": arrival.age.version,
        "db_epoch": arrival.age.db_epoch,
        "status": state.status,
        "owner": state.owner,
        "visibility": state.visibility,
        "province": state.province if isinstance(state, DemandState) else None,
        "profile": state.model_dump_json(include=profile_fields, exclude_defaults=True),
        "analyser": analyser(),
        "analysis": pack(views),
        "updated_at": work.now,
        **_counted_by(state),
    }


def _counted_by(state: DemandState | SupplyState) -> dict[str, object]:
    """Return what gaps are counted by; supplies have none."""
    if isinstance(state, DemandState):
        return {
            "field": next(iter(state.fields), None),
            "industry": next(iter(state.industries), None),
            "published_at": published_by(state),
        }
    return {"field": None, "industry": None, "published_at": None}


def _place_demands(engine: Engine, fresh: Sequence[Fresh[DemandArrival]]) -> list[Revision]:
    """Put the demands in their places; return the rankings of the open ones."""
    opened = []
    for each in fresh:
        state = each.arrival.state
        if state.status is OPEN:
            put_demand(engine, state.id, state, each.views)
            opened.append(state.id)
        else:
            engine.drop_demand(state.id)
    _embed(engine, fresh)
    return rank_all(engine, opened)


def _place_supplies(engine: Engine, fresh: Sequence[Fresh[SupplyArrival]]) -> dict[UUID, set[UUID]]:
    """Put the supplies in their places; return which of them each open demand must look at."""
    for each in fresh:
        state = each.arrival.state
        put_supply(engine, state.id, state, state.status, each.views)
    _embed(engine, fresh)
    return engine.concerned(each.arrival.state.id for each in fresh)


def _embed(engine: Engine, fresh: Sequence[Fresh[Arrival]]) -> None:
    """Give what came again with the same text the embedding that it has."""
    engine.embed(
        {
            each.arrival.state.id: each.written.embedding
            for each in fresh
            if each.written.embedding is not None and each.written.embedder == engine.embedder
        }
    )


def note_unembedded(matcher: Matcher, fresh: Sequence[Fresh[Arrival]]) -> None:
    """Let those that are in the index have their embeddings made later."""
    ours = matcher.embeddings.identity
    unseen = (each.arrival.state.id for each in fresh if each.written.embedder != ours)
    matcher.embeddings.note(filter(matcher.engine.holds, unseen))
