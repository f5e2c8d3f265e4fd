"""Reads `demand.request.*`."""

from collections.abc import Sequence

from shared.contracts.demands import DemandState
from shared.contracts.events import Event
from shared.outbox import UnitOfWork
from svc_reporting.consumers.bodies import read_bodies
from svc_reporting.usecases.demands import record_demands


async def on_demand_events(work: UnitOfWork, events: Sequence[Event]) -> None:
    if told := read_bodies(events, "demand.request", DemandState):
        await record_demands(work, told)
