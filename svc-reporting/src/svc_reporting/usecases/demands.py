"""Takes in what svc-demand tells."""

from collections.abc import Sequence

from shared.contracts.demands import DemandState
from shared.contracts.events import Event
from shared.outbox import UnitOfWork
from svc_reporting.domain.demands import published_by
from svc_reporting.storage.facts import advance_watermark, keep_newest
from svc_reporting.storage.tables import demand_fact


async def record_demands(work: UnitOfWork, told: Sequence[tuple[Event, DemandState]]) -> None:
    """Keep the newest state of each demand and when it was first received and published."""
    rows = [
        {
            "id": demand.id,
            "epoch": event.db_epoch,
            "version": demand.version,
            "status": demand.status,
            "visibility": demand.visibility,
            "owner": demand.owner,
            "kind": demand.kind,
            "enterprise_size": demand.enterprise_size,
            "province": demand.province,
            "fields": sorted(set(demand.fields)),
            "industries": sorted(set(demand.industries)),
            "first_received_at": demand.updated_at,
            "first_published_at": published_by(demand),
        }
        for event, demand in told
    ]
    await keep_newest(
        work.connection, demand_fact, rows, earliest=("first_received_at", "first_published_at")
    )
    await advance_watermark(work.connection, "demands", max(event.time for event, _ in told))
