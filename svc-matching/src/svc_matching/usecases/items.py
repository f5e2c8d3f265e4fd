"""Take in demands and supplies, and let the lists follow."""

from collections.abc import Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from shared.outbox import UnitOfWork
from svc_matching.domain.items import OPEN, DemandArrival, ItemKind, SupplyArrival
from svc_matching.engine.analysers import ANALYSER_VERSION
from svc_matching.engine.engine import Engine
from svc_matching.engine.views import View, pack, views_of
from svc_matching.storage import diagnoses, items, matches
from svc_matching.usecases.lists import close_lists, rank_lists, revise_lists
from svc_matching.usecases.matcher import Matcher, put_demand, put_supply

Arrival = TypeVar("Arrival", DemandArrival, SupplyArrival)
Views = tuple[View, ...]


async def take_demands(
    work: UnitOfWork, matcher: Matcher, arrivals: Sequence[DemandArrival]
) -> None:
    """Rank published demands anew; close the lists of those that are published no longer."""
    fresh = await _newest(work, arrivals)
    if not fresh:
        return
    views = await matcher.run(_analyse, [arrival.state for arrival in fresh])
    profile_fields = set(DemandProfile.model_fields)
    await items.upsert(
        work.connection,
        [
            _row(work, ItemKind.DEMAND, arrival, view, profile_fields)
            | {"province": arrival.state.province}
            for arrival, view in zip(fresh, views, strict=True)
        ],
    )
    matcher.doubt(arrival.state.id for arrival in fresh)
    await matcher.run(_place_demands, matcher.engine, fresh, views)
    await rank_lists(work, matcher, [a.state.id for a in fresh if a.state.status is OPEN])
    await close_lists(work, [a.state.id for a in fresh if a.state.status is not OPEN])


async def take_supplies(
    work: UnitOfWork, matcher: Matcher, arrivals: Sequence[SupplyArrival]
) -> None:
    """Update the lists that the supplies enter, leave, or stand in."""
    fresh = await _newest(work, arrivals)
    if not fresh:
        return
    views = await matcher.run(_analyse, [arrival.state for arrival in fresh])
    profile_fields = set(SupplyProfile.model_fields)
    await items.upsert(
        work.connection,
        [
            _row(work, ItemKind.SUPPLY, arrival, view, profile_fields)
            for arrival, view in zip(fresh, views, strict=True)
        ],
    )
    ids = frozenset(arrival.state.id for arrival in fresh)
    matcher.doubt(ids)
    concerned = await matcher.run(_place_supplies, matcher.engine, fresh, views)
    holders = await matches.read_holders(work.connection, ids)
    holders |= await diagnoses.read_concerned(work.connection, ids)
    for demand_id in holders:
        concerned.setdefault(demand_id, set())
    await revise_lists(work, matcher, concerned, ids)
    matcher.note_supplies()


async def _newest(work: UnitOfWork, arrivals: Iterable[Arrival]) -> list[Arrival]:
    """Return the newest arrival of each id that is newer than our copy; the rest came late."""
    newest: dict[UUID, Arrival] = {}
    for arrival in arrivals:
        known = newest.get(arrival.state.id)
        if known is None or arrival.age > known.age:
            newest[arrival.state.id] = arrival
    ages = await items.read_ages(work.connection, newest)
    return [
        arrival
        for item_id, arrival in newest.items()
        if item_id not in ages or arrival.age > ages[item_id]
    ]


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
        "province": None,
        "profile": state.model_dump(mode="json", include=profile_fields, exclude_defaults=True),
        "analyser": ANALYSER_VERSION,
        "analysis": pack(views),
        "updated_at": work.now,
    }


def _place_demands(
    engine: Engine, arrivals: Sequence[DemandArrival], views: Sequence[Views]
) -> None:
    for arrival, view in zip(arrivals, views, strict=True):
        if arrival.state.status is OPEN:
            put_demand(engine, arrival.state.id, arrival.state, view)
        else:
            engine.drop_demand(arrival.state.id)


def _place_supplies(
    engine: Engine, arrivals: Sequence[SupplyArrival], views: Sequence[Views]
) -> dict[UUID, set[UUID]]:
    """Put the supplies in their places; return which of them each open demand must look at."""
    concerned: dict[UUID, set[UUID]] = {}
    for arrival, view in zip(arrivals, views, strict=True):
        state = arrival.state
        put_supply(engine, state.id, state, state.status, view)
        for demand_id in engine.concerned(state.id):
            concerned.setdefault(demand_id, set()).add(state.id)
    return concerned
