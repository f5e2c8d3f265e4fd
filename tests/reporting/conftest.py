"""svc-reporting on a Postgres and NATS of its own, so that no other suite's events are counted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import delete, select, text

from ketnoi.addresses import async_url
from ketnoi.local import LocalServers, embedded_servers
from shared.contracts.events import Event
from shared.contracts.messaging import consumers_of
from shared.db.migrate import upgrade
from shared.kernel.ids import new_id
from shared.nats import Bus
from shared.outbox import Transactions
from svc_reporting.main import create_app
from svc_reporting.settings import Settings
from svc_reporting.storage.tables import messaging, metadata


@pytest.fixture(scope="session")
async def reporting_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LocalServers]:
    directory = tmp_path_factory.mktemp("reporting")
    async with embedded_servers(directory, migrations=False) as running:
        await upgrade(
            package="svc_reporting",
            url=async_url(running.admin_database_url),
            schema="reporting",
            owner="reporting_owner",
        )
        yield running


@pytest.fixture(scope="session")
def settings(reporting_servers: LocalServers, jwks_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(reporting_servers.database_url("svc-reporting")),
        nats_url=SecretStr(reporting_servers.nats_url("svc-reporting")),
        jwks_path=jwks_path,
        cursor_key=SecretStr("cursor-key-of-the-tests"),
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service, consumers running."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
async def bus(reporting_servers: LocalServers) -> AsyncIterator[Bus]:
    """The other services' voice."""
    bus = Bus(reporting_servers.nats_admin_url, "test")
    await bus.start()
    await bus.jetstream()
    yield bus
    await bus.close()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://reporting") as client:
        yield client


class World:
    """What the other services would say, told as events."""

    def __init__(self, bus: Bus, transactions: Transactions) -> None:
        self._bus = bus
        self._transactions = transactions

    async def tell(self, *events: Event) -> None:
        """Send the events in this order, and wait until each has been read."""
        js = await self._bus.jetstream()
        for event in events:
            # A message id of its own, so that the broker does not take out what comes twice.
            headers = event.headers() | {"Nats-Msg-Id": str(uuid4())}
            await js.publish(event.subject, event.data, headers=headers)
        for spec in consumers_of("svc_reporting"):
            while await self._bus.pending(spec.stream, spec.name):
                await asyncio.sleep(0.01)

    async def forget(self) -> None:
        """Empty the schema."""
        async with self._transactions.database.begin() as connection:
            for table in metadata.tables.values():
                if table.name != "db_epoch":
                    await connection.execute(delete(table))

    async def dead_letters(self) -> Sequence[Any]:
        async with self._transactions.read() as connection:
            return (await connection.execute(select(messaging.dead_letter))).all()

    async def facts(self) -> list[str]:
        """All that is known, in a fixed order."""
        names = [name for name in metadata.tables if name.endswith("_fact")]
        async with self._transactions.read() as connection:
            return [
                f"{name} {row}"
                for name in names
                for row in await connection.scalars(
                    text(f"SELECT t::text FROM {name} t ORDER BY 1")
                )
            ]

    def demand(self, status: str = "PUBLISHED", **body: Any) -> Event:
        """A demand's new state; `id`, `version`, `updated_at` and all fields may be given."""
        profile = {"title": SECRET, "owner": "enterprise-1", "status": status}
        return _event(f"demand.request.{status.lower()}.v1", profile | body)

    def supply(self, status: str = "PUBLISHED", **body: Any) -> Event:
        profile = {"title": SECRET, "owner": "office-kr", "status": status}
        return _event(f"supply.offer.{status.lower()}.v1", profile | body)

    def ranking(self, demand: Event, supplies: Sequence[Event], **body: Any) -> Event:
        """A demand's new list: these supplies, best first."""
        items = [
            {
                "match_id": str(new_id()),
                "supply_id": str(found.aggregate_id),
                "supply_version": 1,
                "rank": rank,
                "score": round(0.9 / rank, 6),
            }
            for rank, found in enumerate(supplies, start=1)
        ]
        about = {"id": demand.aggregate_id, "demand_version": 1, "index_epoch": 1, "items": items}
        return _event("matching.list.updated.v1", about | body)

    def diagnosis(self, demand: Event, code: str, **body: Any) -> Event:
        reasons = [] if code == "MATCHED" else ["BUDGET_SHORT"]
        about = {"id": demand.aggregate_id, "demand_version": 1, "diagnosis": code}
        return _event("matching.diagnosis.changed.v1", about | {"reasons": reasons} | body)


SECRET = "Sấy chè bí mật"
_NOON = "2026-07-10T05:00:00.000Z"


def _event(kind: str, given: dict[str, Any]) -> Event:
    epoch = given.pop("epoch", 1)
    body = {"id": new_id(), "version": 1, "created_at": _NOON, "updated_at": _NOON} | given
    return Event(
        id=new_id(),
        type=kind,
        source="ketnoi/test",
        aggregate_id=body["id"],
        aggregate_version=body["version"],
        time=datetime.fromisoformat(body["updated_at"]),
        data=json.dumps(body, default=str).encode(),
        db_epoch=epoch,
    )


@pytest.fixture
async def world(bus: Bus, app: FastAPI) -> World:
    """An empty schema with the service running on it."""
    world = World(bus, app.state.transactions)
    await world.forget()
    return world


Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def ask(client: httpx.AsyncClient, authorization: Callable[..., dict[str, str]]) -> Ask:
    """Read the dashboard: `ask("dost", province="19", params={"year": 2026})`."""

    async def get(
        role: str = "operator", *, params: dict[str, Any] | None = None, **claims: Any
    ) -> dict[str, Any]:
        headers = {} if role == "anonymous" else authorization(role, **claims)
        answer = await client.get("/v1/reporting/dashboard", params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        assert SECRET not in answer.text
        found: dict[str, Any] = answer.json()
        return found

    return get
