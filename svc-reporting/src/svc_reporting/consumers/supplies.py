"""Reads `supply.offer.*`."""

from collections.abc import Sequence

from shared.contracts.events import Event
from shared.contracts.supplies import SupplyState
from shared.outbox import UnitOfWork
from svc_reporting.consumers.bodies import read_bodies
from svc_reporting.usecases.supplies import record_supplies


async def on_supply_events(work: UnitOfWork, events: Sequence[Event]) -> None:
    if told := read_bodies(events, "supply.offer", SupplyState):
        await record_supplies(work, told)
