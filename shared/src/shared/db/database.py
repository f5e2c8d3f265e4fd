"""One engine per process, bounded in connections and in time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from pydantic import BaseModel
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from shared.kernel.errors import UnavailableError

POOL_WAIT_SECONDS = 5
CONNECT_SECONDS = 5
ROLLBACK_SECONDS = 5
COMMAND_SECONDS = 30
RENEWED_SECONDS = 1800

Driver = asyncpg.Connection
"""The driver's own connection: hot statements go to it directly, at a third of the cost."""


NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
"""Stands in for a missing address: the app can be built (for its OpenAPI), and never connects."""


def to_json(value: object) -> str:
    """Return what a JSONB column stores: a model without its nulls, or plain JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_none=True)
    return json.dumps(value, ensure_ascii=False)


class Database:
    """The connections of one service to its own schema.

    Transactions are ours and not SQLAlchemy's (its side is in autocommit mode): a read is one
    round trip instead of three, and statements of SQLAlchemy and of the driver share one.
    `schema` is for administrators: a service's role knows its own.
    """

    def __init__(
        self, url: str, *, pool_size: int = 7, name: str = "ketnoi", schema: str = ""
    ) -> None:
        settings = {"application_name": name, "jit": "off"}
        self._settings = settings | ({"search_path": schema} if schema else {})
        self.engine: AsyncEngine = create_async_engine(
            url or NOWHERE,
            isolation_level="AUTOCOMMIT",
            json_serializer=to_json,
            pool_size=pool_size,
            max_overflow=0,
            pool_recycle=RENEWED_SECONDS,
            connect_args={
                "timeout": CONNECT_SECONDS,
                "server_settings": self._settings,
            },
        )
        event.listen(self.engine.sync_engine, "checkout", _refuse_closed)
        self._kept: list[tuple[AsyncConnection, float]] = []
        self._slots = asyncio.Semaphore(pool_size)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: commits on a clean exit, rolls back on an exception."""
        async with self.read() as connection:
            driver = driver_of(connection)
            try:
                await driver.execute("BEGIN")
                yield connection
                said = await driver.execute("COMMIT")
            except BaseException:
                await _roll_back(driver)
                raise
            if said != "COMMIT":
                raise RuntimeError("a statement failed and was passed over; nothing is committed")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; each statement is a transaction of its own."""
        await self._wait_for_slot()
        try:
            connection, until = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection, until)
        finally:
            self._slots.release()

    # SQLAlchemy's pool opens connections, checks and renews them. To go there and back costs five
    # times what a prepared statement does, so a connection that only its driver was used on stays
    # with us for whoever comes next; who waits, waits for a slot and not at the pool.

    async def _wait_for_slot(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # at once: a time limit would cost more than the rest
            return
        try:
            async with asyncio.timeout(POOL_WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError as error:
            said = f"no connection became free within {POOL_WAIT_SECONDS} s"
            raise PoolTimeoutError(said) from error

    async def _take(self) -> tuple[AsyncConnection, float]:
        """Return a connection, and until when it may be kept."""
        while self._kept:
            connection, until = self._kept.pop()
            if not driver_of(connection).is_closed():
                return connection, until
            await connection.close()
        return await self.engine.connect(), time.monotonic() + RENEWED_SECONDS

    async def _give_back(self, connection: AsyncConnection, until: float) -> None:
        """Keep it, unless the pool has something to put in order."""
        if connection.in_transaction() or time.monotonic() > until:
            await connection.close()
        else:
            self._kept.append((connection, until))

    @property
    def in_use(self) -> int:
        """How many connections are somebody's at the moment."""
        pool = cast("QueuePool", self.engine.pool)
        return pool.checkedout() - len(self._kept)

    async def dedicated(self) -> Driver:
        """Open a connection outside the pool, for what lasts as long as its session (a lock)."""
        _, arguments = self.engine.dialect.create_connect_args(self.engine.url)
        return await asyncpg.connect(
            **arguments,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            server_settings=self._settings,
        )

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        while self._kept:
            await self._kept.pop()[0].close()
        await self.engine.dispose()


def driver_of(connection: AsyncConnection) -> Driver:
    """Return the driver's connection below `connection`, in the same transaction."""
    assert connection.sync_connection is not None  # noqa: S101 - it is open
    driver: Any = connection.sync_connection.connection.driver_connection
    return cast("Driver", driver)


def is_passing(error: BaseException) -> bool:
    """True for a fault of the connection or the server, which a retry may not meet again."""
    if isinstance(error, (OSError, TimeoutError, PoolTimeoutError, InterfaceError)):
        return True
    if isinstance(error, UnavailableError):
        return True  # another part that is needed does not answer
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)  # else an argument that cannot be sent
    if isinstance(error, asyncpg.InternalClientError):
        return True  # the server's farewell was read, and its hanging up not yet
    if isinstance(error, asyncpg.PostgresError):
        return _passes(error)
    if isinstance(error, DBAPIError):
        return (
            error.connection_invalidated
            or isinstance(error, OperationalError)
            or isinstance(getattr(error.orig, "__cause__", None), asyncpg.InternalClientError)
            or _passes(error.orig)
        )
    return False


def _passes(error: BaseException | None) -> bool:
    code = str(getattr(error, "sqlstate", None) or "")
    # 08 connection, 28 login, 40 serialisation/deadlock, 53 resources, 57 shutdown/cancel;
    # read-only, no such database, lock: none of them is the fault of what was being done
    return code.startswith(("08", "28", "40", "53", "57")) or code in ("25006", "3D000", "55P03")


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """The driver knows at once when the server has gone; the pool then opens another."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def _roll_back(driver: Driver) -> None:
    """Leave the transaction; a connection that cannot is not used again."""
    if driver.is_closed():
        return
    try:
        await driver.execute("ROLLBACK", timeout=ROLLBACK_SECONDS)
    except BaseException:  # noqa: BLE001 - what ended the transaction is raised by the caller
        driver.terminate()
