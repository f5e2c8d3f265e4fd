"""Open demands that nobody has ranked in their newest version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.storage.tables import item, match_run


async def read_unmatched(connection: AsyncConnection, before: datetime, limit: int) -> list[UUID]:
    """Return open demands whose newest version came before that time and has no match run."""
    run = exists().where(
        match_run.c.demand_id == item.c.id, match_run.c.demand_version == item.c.version
    )
    found = await connection.scalars(
        select(item.c.id)
        .where(item.c.kind == ItemKind.DEMAND, item.c.status == OPEN, item.c.updated_at < before)
        .where(~run)
        .order_by(item.c.id)
        .limit(limit)
    )
    return list(found)
