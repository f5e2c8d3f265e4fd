"""The same key and body give the same answer; the answer is written with the effect.

The key belongs to one client, so that a tenant can never read another's stored answer.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kernel.errors import InvalidError
from shared.kernel.faults import crash_point

KEPT_DAYS = 7

Answer = TypeVar("Answer", bound=BaseModel)


def idempotency_table(metadata: MetaData) -> Table:
    """Return the table's definition for a service's own metadata."""
    return Table(
        "idempotency",
        metadata,
        Column("client", String(64), primary_key=True),
        Column("key", String(255), primary_key=True),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("answer", LargeBinary, nullable=True),
        Column("created_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
    )


@dataclass(frozen=True, slots=True)
class Idempotency:
    """One client's key for one request; the fingerprint covers the route and the raw body."""

    client: str
    key: str
    fingerprint: bytes

    @classmethod
    def of(cls, client: str, key: str, route: str, body: bytes) -> "Idempotency":
        return cls(client, key, hashlib.sha256(route.encode() + b"\0" + body).digest())

    async def claim(self, connection: AsyncConnection, table: Table) -> bytes | None:
        """Return the stored answer, or None when this request is the first with its key.

        A request that runs at the same time waits here for the first one's commit.
        InvalidError when the key was used for another request.
        """
        claimed = await connection.execute(
            insert(table)
            .values(client=self.client, key=self.key, fingerprint=self.fingerprint)
            .on_conflict_do_nothing()
        )
        if claimed.rowcount == 1:
            return None
        row = (
            await connection.execute(
                select(table.c.fingerprint, table.c.answer).where(
                    table.c.client == self.client, table.c.key == self.key
                )
            )
        ).one()
        if row.fingerprint != self.fingerprint:
            raise InvalidError(
                "idempotency_key_reused",
                "This Idempotency-Key was sent before with another request; use a new key.",
                "Idempotency-Key này đã dùng cho một yêu cầu khác; hãy dùng khóa mới.",
            )
        answer: bytes | None = row.answer
        return answer

    async def store(self, connection: AsyncConnection, table: Table, answer: bytes) -> None:
        """Keep the answer with the effect, in the effect's transaction."""
        await connection.execute(
            update(table)
            .where(table.c.client == self.client, table.c.key == self.key)
            .values(answer=answer)
        )
        crash_point("idempotency_stored")


async def once(
    connection: AsyncConnection,
    table: Table,
    key: Idempotency | None,
    model: type[Answer],
    effect: Callable[[], Awaitable[Answer]],
) -> Answer:
    """Make the effect, or return the answer that it gave when `key` was first sent."""
    if key is None:
        return await effect()
    stored = await key.claim(connection, table)
    if stored is not None:
        return model.model_validate_json(stored)
    answer = await effect()
    await key.store(connection, table, answer.model_dump_json(by_alias=True).encode())
    return answer


async def forget(connection: AsyncConnection, table: Table, now: datetime) -> None:
    """Drop the answers that have been kept long enough."""
    before = now - timedelta(days=KEPT_DAYS)
    await connection.execute(delete(table).where(table.c.created_at < before))
