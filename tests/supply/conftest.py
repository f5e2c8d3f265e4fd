"""svc-supply as its callers meet it: the real app on the real Postgres and NATS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select

from ketnoi.local import LocalServers
from shared.outbox import Transactions
from svc_supply.main import create_app
from svc_supply.settings import Settings
from svc_supply.storage import tables

COMPLETE: dict[str, Any] = {
    "title": "Công nghệ sấy chè xanh tiết kiệm năng lượng",
    "description": "Dây chuyền sấy 500 kg búp tươi mỗi giờ.",
    "language": "vi",
    "kind": "LINE",
    "country": "KR",
}


@pytest.fixture(scope="session")
def settings(servers: LocalServers, jwks_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(servers.database_url("svc-supply")),
        nats_url=SecretStr(servers.nats_url("svc-supply")),
        jwks_path=jwks_path,
        cursor_key=SecretStr("cursor-key-of-the-tests"),
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service, its background half running."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def transactions(app: FastAPI) -> Transactions:
    found: Transactions = app.state.transactions
    return found


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    headers = {"Accept-Language": "en"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://supply", headers=headers
    ) as client:
        yield client


@pytest.fixture
def operator(authorization: Callable[..., dict[str, str]]) -> dict[str, str]:
    return authorization("operator", "most")


@pytest.fixture
def owner(authorization: Callable[..., dict[str, str]], unique: str) -> dict[str, str]:
    return authorization("provider", f"provider-{unique}")


Create = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def create(client: httpx.AsyncClient, owner: dict[str, str]) -> Create:
    """Make a draft of the owner's."""

    async def make(headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        answer = await client.post("/v1/supplies", json=COMPLETE | fields, headers=headers or owner)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    return make


Publish = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def publish(client: httpx.AsyncClient, operator: dict[str, str]) -> Publish:
    """Take a supply the whole way, step by step."""

    async def walk(supply: dict[str, Any]) -> dict[str, Any]:
        for to in ("SUBMITTED", "UNDER_VALIDATION", "PUBLISHED"):
            answer = await client.post(
                f"/v1/supplies/{supply['id']}/transitions",
                json={"to": to},
                headers=operator | {"If-Match": f'"{supply["version"]}"'},
            )
            assert answer.status_code == 200, answer.text
            supply = answer.json()
        return supply

    return walk


Facts = Callable[[str], Awaitable[list[tuple[str, int]]]]


@pytest.fixture
def facts(transactions: Transactions) -> Facts:
    """Tell which events were written for a supply: (fact, version), in order."""

    async def read(supply_id: str) -> list[tuple[str, int]]:
        outbox = tables.messaging.outbox
        query = (
            select(outbox.c.type, outbox.c.aggregate_version)
            .where(outbox.c.aggregate_id == supply_id)
            .order_by(outbox.c.seq)
        )
        async with transactions.read() as connection:
            rows = (await connection.execute(query)).all()
        return [(row.type.split(".")[2], row.aggregate_version) for row in rows]

    return read


@pytest.fixture
def count_rows(transactions: Transactions) -> Callable[[], Awaitable[int]]:
    async def count() -> int:
        async with transactions.read() as connection:
            found = await connection.scalar(select(func.count()).select_from(tables.supply))
        return int(found or 0)

    return count
