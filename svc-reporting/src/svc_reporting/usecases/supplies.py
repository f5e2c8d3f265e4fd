"""Takes in what svc-supply tells."""

from collections.abc import Sequence

from shared.contracts.events import Event
from shared.contracts.supplies import SupplyState
from shared.outbox import UnitOfWork
from svc_reporting.domain.supplies import published_by
from svc_reporting.storage.facts import advance_watermark, keep_newest
from svc_reporting.storage.tables import supply_fact


async def record_supplies(work: UnitOfWork, told: Sequence[tuple[Event, SupplyState]]) -> None:
    """Keep the newest state of each supply and when it was first published."""
    rows = [
        {
            "id": supply.id,
            "epoch": event.db_epoch,
            "version": supply.version,
            "status": supply.status,
            "visibility": supply.visibility,
            "owner": supply.owner,
            "kind": supply.kind,
            "country": supply.country,
            "fields": sorted(set(supply.fields)),
            "first_published_at": published_by(supply),
        }
        for event, supply in told
    ]
    await keep_newest(work.connection, supply_fact, rows, earliest=("first_published_at",))
    await advance_watermark(work.connection, "supplies", max(event.time for event, _ in told))
