"""A key is never recognised again."""

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.idempotency import Idempotency


async def _claim(self: Idempotency, connection: AsyncConnection, table: Table) -> None:
    del connection, table


Idempotency.claim = _claim
