"""Frozen statistics; the newest epoch counts, the one before is kept to look back at."""

from typing import Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.storage.tables import epoch

KEPT = 2


async def read_newest(connection: AsyncConnection) -> Row[Any] | None:
    found = await connection.execute(select(epoch).order_by(epoch.c.number.desc()).limit(1))
    return found.one_or_none()


async def read_newest_number(connection: AsyncConnection) -> int:
    """Return the number alone; 0 before the first epoch."""
    found = await connection.scalar(select(epoch.c.number).order_by(epoch.c.number.desc()).limit(1))
    return int(found or 0)


async def read_newest_revision(connection: AsyncConnection) -> int:
    """Return which revision of the vocabulary the newest epoch reads with."""
    found = await connection.scalar(
        select(epoch.c.vocabulary_revision).order_by(epoch.c.number.desc()).limit(1)
    )
    return int(found or 0)


async def read_newest_embedder(connection: AsyncConnection) -> str | None:
    """Return whose embeddings the newest epoch looks at, if anybody's."""
    found: str | None = await connection.scalar(
        select(epoch.c.embedder).order_by(epoch.c.number.desc()).limit(1)
    )
    return found


async def read_version_in_use(connection: AsyncConnection) -> str | None:
    """Return which version of the vocabulary the newest epoch reads with; None before the first."""
    found: str | None = await connection.scalar(
        select(epoch.c.vocabulary_version).order_by(epoch.c.number.desc()).limit(1)
    )
    return found


async def write(connection: AsyncConnection, row: dict[str, Any]) -> None:
    await connection.execute(insert(epoch).values(**row))
    await connection.execute(delete(epoch).where(epoch.c.number <= row["number"] - KEPT))
