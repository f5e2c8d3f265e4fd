"""When a demand counts as published."""

from datetime import datetime

from shared.contracts.demands import DemandState, DemandStatus

AFTER_PUBLICATION = frozenset(
    {
        DemandStatus.PUBLISHED,
        DemandStatus.ON_HOLD,
        DemandStatus.FULFILLED,
        DemandStatus.EXPIRED,
    }
)
"""Statuses that only a published demand can reach.

A by-ref upsert walks the life cycle in one event, so a demand may be first heard of as FULFILLED.
"""


def published_by(demand: DemandState) -> datetime | None:
    """Return a time by which the demand had been published, None when this state shows none.

    The earliest over all its states is when it was first published.
    """
    return demand.updated_at if demand.status in AFTER_PUBLICATION else None
