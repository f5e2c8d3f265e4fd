"""One engine per process, bounded in connections and in time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

POOL_WAIT_SECONDS = 5
CONNECT_SECONDS = 5


NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
"""Stands in for a missing address: the app can be built (for its OpenAPI), and never connects."""


def to_json(value: object) -> str:
    """Return what a JSONB column stores: a model without its nulls, or plain JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_none=True)
    return json.dumps(value, ensure_ascii=False)


class Database:
    """The connections of one service to its own schema."""

    def __init__(self, url: str, *, pool_size: int = 5, name: str = "ketnoi") -> None:
        self.engine: AsyncEngine = create_async_engine(
            url or NOWHERE,
            json_serializer=to_json,
            pool_size=pool_size,
            max_overflow=2,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_recycle=1800,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": {"application_name": name, "jit": "off"},
            },
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: commits on a clean exit, rolls back on an exception."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; whatever it did is rolled back."""
        async with self.engine.connect() as connection:
            yield connection

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self.engine.dispose()


def is_passing(error: BaseException) -> bool:
    """True for a fault of the connection or the server, which a retry may not meet again."""
    if isinstance(error, (OSError, TimeoutError, PoolTimeoutError, InterfaceError)):
        return True
    if isinstance(error, DBAPIError):
        code = str(getattr(error.orig, "sqlstate", None) or "")
        # 08 connection, 40 serialisation/deadlock, 53 resources, 55P03 lock, 57 shutdown/cancel
        return (
            error.connection_invalidated
            or isinstance(error, OperationalError)
            or code.startswith(("08", "40", "53", "57"))
            or code == "55P03"
        )
    return False
