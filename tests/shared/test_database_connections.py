"""Connections stay open between statements, bounded in number, and none is used that is no good."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ketnoi.local import LocalServers
from shared.db import Database
from shared.db import database as module
from shared.db.database import driver_of, is_passing

PID = "SELECT pg_backend_pid()"
GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@pytest.fixture
async def database(servers: LocalServers) -> AsyncIterator[Database]:
    opened = Database(servers.database_url("svc-demand"), pool_size=2)
    yield opened
    await opened.close()
    assert opened.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def pid_of(database: Database) -> int:
    async with database.read() as connection:
        found: int = await driver_of(connection).fetchval(PID)
        return found


def outside_the_pool(database: Database) -> int:
    return int(database.engine.pool.checkedout())  # type: ignore[attr-defined]


async def test_a_connection_that_only_the_driver_used_is_kept(database: Database) -> None:
    first = await pid_of(database)
    assert (outside_the_pool(database), database.in_use) == (1, 0)
    async with database.read() as connection:
        assert await driver_of(connection).fetchval(PID) == first
        assert database.in_use == 1


async def test_what_sqlalchemy_used_goes_back_to_its_pool(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("SELECT 1"))
    assert (outside_the_pool(database), database.in_use) == (0, 0)


async def test_a_connection_is_renewed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEWED_SECONDS", -1)
    await pid_of(database)
    assert outside_the_pool(database) == 0


@pytest.mark.parametrize("in_use", [True, False])
async def test_a_connection_that_the_server_ended_is_replaced(
    database: Database, in_use: bool
) -> None:
    async with database.read() as connection:
        driver = driver_of(connection)
        first = await driver.fetchval(PID)
        if in_use:
            await end(database, first)
            with pytest.raises(GONE) as raised:
                await driver.fetchval(PID)
            assert is_passing(raised.value)
    if not in_use:
        await end(database, first)
        while not driver.is_closed():
            await asyncio.sleep(0)
    assert await pid_of(database) != first


async def end(database: Database, backend: int) -> None:
    other = await database.dedicated()
    assert await other.fetchval("SELECT pg_terminate_backend($1)", backend)
    await other.close()


def test_a_server_that_is_just_hanging_up_is_a_passing_fault() -> None:
    said = "cannot switch to state 12; another operation (2) is in progress"
    assert is_passing(asyncpg.InternalClientError(said))


async def test_it_is_one_through_sqlalchemy_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging_up(*_: object, **__: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 12")

    async with database.read() as connection:
        monkeypatch.setattr(asyncpg.Connection, "prepare", hanging_up)
        with pytest.raises(DBAPIError) as raised:
            await connection.execute(text("SELECT 12345"))
    assert is_passing(raised.value)


async def test_who_waits_gets_the_next_one(database: Database) -> None:
    async with database.read(), database.read():
        waiting = asyncio.create_task(pid_of(database))
        while not database._slots._waiters:
            await asyncio.sleep(0)
        assert not waiting.done()
    assert await waiting
    assert outside_the_pool(database) <= 2


async def test_nobody_waits_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POOL_WAIT_SECONDS", 0.01)
    async with database.read(), database.read():
        with pytest.raises(PoolTimeoutError):
            await pid_of(database)
    assert await pid_of(database)


async def test_a_slot_is_free_again_when_no_connection_can_be_opened() -> None:
    database = Database("", pool_size=1)
    for _ in range(2):
        with pytest.raises(OSError, match=r"refused|failed"):
            await pid_of(database)


async def test_a_cancelled_statement_spoils_nothing(database: Database) -> None:
    async def sleep() -> None:
        async with database.begin() as connection:
            await driver_of(connection).execute("SELECT pg_sleep(30)")

    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await sleep()
    assert await asyncio.gather(*(pid_of(database) for _ in range(8)))
    assert database.in_use == 0
