"""svc-demand as its callers meet it: the real app on the real Postgres and NATS."""

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
from svc_demand.main import create_app
from svc_demand.settings import Settings
from svc_demand.storage import tables

COMPLETE: dict[str, Any] = {
    "title": "Công nghệ sấy chè xanh tiết kiệm năng lượng",
    "description": "Dây chuyền sấy 500 kg búp tươi mỗi giờ.",
    "language": "vi",
    "kind": "IMPROVEMENT",
    "province": "19",
}
CHECKLIST = dict.fromkeys(
    ("evidence_seen", "losses_stated", "investment_decided", "absorption_assessed"), True
)


@pytest.fixture(scope="session")
def settings(servers: LocalServers, jwks_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(servers.database_url("svc-demand")),
        nats_url=SecretStr(servers.nats_url("svc-demand")),
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
        transport=transport, base_url="http://demand", headers=headers
    ) as client:
        yield client


@pytest.fixture
def operator(authorization: Callable[..., dict[str, str]]) -> dict[str, str]:
    return authorization("operator", "most")


@pytest.fixture
def owner(authorization: Callable[..., dict[str, str]], unique: str) -> dict[str, str]:
    return authorization("enterprise", f"enterprise-{unique}")


@pytest.fixture
def dost(authorization: Callable[..., dict[str, str]], unique: str) -> dict[str, str]:
    return authorization("dost", f"dost-{unique}", province="19")


Create = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def create(client: httpx.AsyncClient, owner: dict[str, str]) -> Create:
    """Make a draft of the owner's."""

    async def make(headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        answer = await client.post("/v1/demands", json=COMPLETE | fields, headers=headers or owner)
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    return make


Publish = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def publish(client: httpx.AsyncClient, operator: dict[str, str]) -> Publish:
    """Take a demand the whole way, step by step."""

    async def walk(demand: dict[str, Any]) -> dict[str, Any]:
        for to in ("SUBMITTED", "UNDER_REVIEW", "VERIFIED", "FORWARDED", "PUBLISHED"):
            answer = await client.post(
                f"/v1/demands/{demand['id']}/transitions",
                json={"to": to} | ({"checklist": CHECKLIST} if to == "VERIFIED" else {}),
                headers=operator | {"If-Match": f'"{demand["version"]}"'},
            )
            assert answer.status_code == 200, answer.text
            demand = answer.json()
        return demand

    return walk


Facts = Callable[[str], Awaitable[list[tuple[str, int]]]]


@pytest.fixture
def facts(transactions: Transactions) -> Facts:
    """Tell which events were written for a demand: (fact, version), in order."""

    async def read(demand_id: str) -> list[tuple[str, int]]:
        outbox = tables.messaging.outbox
        query = (
            select(outbox.c.type, outbox.c.aggregate_version)
            .where(outbox.c.aggregate_id == demand_id)
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
            found = await connection.scalar(select(func.count()).select_from(tables.demand))
        return int(found or 0)

    return count
