"""How long the oldest change has waited to be matched."""

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.storage.tables import demand_state, item


async def read_oldest_unmatched(connection: AsyncConnection) -> datetime | None:
    """Return when the oldest open demand changed whose newest version has no list yet."""
    found: datetime | None = await connection.scalar(
        select(func.min(item.c.updated_at))
        .outerjoin(demand_state, demand_state.c.demand_id == item.c.id)
        .where(
            item.c.kind == ItemKind.DEMAND,
            item.c.status == OPEN,
            or_(
                demand_state.c.demand_id.is_(None),
                demand_state.c.demand_version != item.c.version,
            ),
        )
    )
    return found
