"""A service works for a caller no longer than it waits; the database stops working, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from sqlalchemy import text
from starlette.responses import StreamingResponse

from ketnoi.local import LocalServers
from shared.db import Database
from shared.http.app import build_app
from shared.http.health import Health
from shared.settings import ServiceSettings

SLEEPING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
)


@pytest.fixture
async def database(servers: LocalServers) -> AsyncIterator[Database]:
    opened = Database(servers.database_url("svc-demand"), pool_size=2)
    yield opened
    await opened.close()


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    router = APIRouter()

    @router.get("/sleep")
    async def get_sleep() -> None:
        async with database.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))

    @router.get("/stream")
    async def get_stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first "
            await asyncio.sleep(0.2)
            yield b"last"

        return StreamingResponse(pieces())

    @router.get("/broken")
    async def get_broken() -> None:
        raise ConnectionRefusedError("no database")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = build_app(
        title="x",
        description="",
        version="1",
        settings=ServiceSettings(),
        routers=[router],
        health=Health("x"),
        lifespan=lifespan,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as opened:
        yield opened


async def test_the_deadline_ends_the_request_and_its_query(
    client: httpx.AsyncClient, database: Database
) -> None:
    async with asyncio.timeout(10):
        answer = await client.get("/sleep", headers={"X-Request-Deadline-Ms": "150"})
        assert answer.status_code == 504
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "deadline_exceeded"
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
        async with database.read() as connection:
            while await connection.scalar(SLEEPING):
                await asyncio.sleep(0.02)


async def test_an_answer_that_has_begun_is_finished(client: httpx.AsyncClient) -> None:
    answer = await client.get("/stream", headers={"X-Request-Deadline-Ms": "100"})
    assert (answer.status_code, answer.content) == (200, b"first last")


@pytest.mark.parametrize("given", ["", "soon", "-5", "1e3", "²"])
async def test_an_unreadable_deadline_is_none(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/stream", headers=[(b"x-request-deadline-ms", given.encode())])
    assert answer.status_code == 200


async def test_a_database_that_is_away_is_a_503_that_says_to_come_again(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/broken", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
