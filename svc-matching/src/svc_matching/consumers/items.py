"""Reads `demand.request.*` and `supply.offer.*`: both become our own copies."""

from collections.abc import Sequence

from shared.contracts.demands import DemandState
from shared.contracts.events import Event
from shared.contracts.supplies import SupplyState
from shared.outbox import Handler, UnitOfWork
from svc_matching.domain.items import Age, DemandArrival, SupplyArrival
from svc_matching.usecases.items import take_demands, take_supplies
from svc_matching.usecases.matcher import Matcher

# Any fact of major 1 is read, one that is new as well: each carries the whole state.
DEMANDS = "demand.request."
SUPPLIES = "supply.offer."
MAJOR = ".v1"


def _is_about(event: Event, aggregate: str) -> bool:
    return event.type.startswith(aggregate) and event.type.endswith(MAJOR)


def _age(event: Event) -> Age:
    return Age(event.db_epoch, event.aggregate_version)


def demand_handler(matcher: Matcher) -> Handler:
    """Return the handler of the consumer `matching-demand`."""

    async def on_demand_events(work: UnitOfWork, events: Sequence[Event]) -> None:
        arrivals = [
            DemandArrival(_age(event), DemandState.model_validate_json(event.data))
            for event in events
            if _is_about(event, DEMANDS)
        ]
        await take_demands(work, matcher, arrivals)

    return on_demand_events


def supply_handler(matcher: Matcher) -> Handler:
    """Return the handler of the consumer `matching-supply`."""

    async def on_supply_events(work: UnitOfWork, events: Sequence[Event]) -> None:
        arrivals = [
            SupplyArrival(_age(event), SupplyState.model_validate_json(event.data))
            for event in events
            if _is_about(event, SUPPLIES)
        ]
        await take_supplies(work, matcher, arrivals)

    return on_supply_events
