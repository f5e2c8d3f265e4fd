"""When a supply counts as published."""

from datetime import datetime

from shared.contracts.supplies import SupplyState, SupplyStatus

AFTER_PUBLICATION = frozenset(
    {
        SupplyStatus.PUBLISHED,
        SupplyStatus.ON_HOLD,
        SupplyStatus.FLAGGED,
        SupplyStatus.EXPIRED,
        SupplyStatus.TRANSFERRED_EXCLUSIVELY,
    }
)
"""Statuses that only a published supply can reach."""


def published_by(supply: SupplyState) -> datetime | None:
    """Return a time by which the supply had been published, None when this state shows none."""
    return supply.updated_at if supply.status in AFTER_PUBLICATION else None
