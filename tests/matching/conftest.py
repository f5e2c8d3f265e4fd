"""svc-matching on a Postgres and NATS of its own, and builders for what the others would say."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import delete, func, select

from ketnoi.addresses import async_url
from ketnoi.local import LocalServers, embedded_servers
from shared.contracts.events import Event
from shared.contracts.messaging import consumers_of
from shared.db.migrate import upgrade
from shared.kernel.ids import new_id
from shared.nats import Bus
from svc_matching.engine.languages import choose_language
from svc_matching.engine.marks import restore
from svc_matching.engine.tagging import concepts_in
from svc_matching.engine.translations import units_in
from svc_matching.main import create_app
from svc_matching.settings import Settings
from svc_matching.storage import tables
from svc_matching.usecases.transactions import MatchingTransactions

# It has an environment and a target of its own, `make test-embeddings`: torch has some GB.
collect_ignore = [] if find_spec("sentence_transformers") else ["test_embeddings_local.py"]


@pytest.fixture(scope="session")
async def matching_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LocalServers]:
    directory = tmp_path_factory.mktemp("matching")
    async with embedded_servers(directory, migrations=False) as running:
        await upgrade(
            package="svc_matching",
            url=async_url(running.admin_database_url),
            schema="matching",
            owner="matching_owner",
        )
        yield running


@pytest.fixture(scope="session")
def settings(matching_servers: LocalServers, jwks_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(matching_servers.database_url("svc-matching")),
        nats_url=SecretStr(matching_servers.nats_url("svc-matching")),
        jwks_path=jwks_path,
        cursor_key=SecretStr("cursor-key-of-the-tests"),
        # Epochs come when a test asks for one, not when the machine is slow.
        quiet_seconds=3600,
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The whole service, consumers running."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
async def bus(matching_servers: LocalServers) -> AsyncIterator[Bus]:
    """The other services' voice."""
    bus = Bus(matching_servers.nats_admin_url, "test")
    await bus.start()
    await bus.jetstream()
    yield bus
    await bus.close()


NOON = datetime(2026, 7, 10, 5, tzinfo=UTC)

TEA_DEMAND: dict[str, Any] = {
    "title": "Dây chuyền sấy chè tiết kiệm năng lượng",
    "description": "Cần lò sấy chè xanh bằng bơm nhiệt, điều khiển độ ẩm, giữ hương chè.",
    "language": "vi",
    "kind": "TRANSFER",
    "province": "19",
}
TEA_SUPPLY: dict[str, Any] = {
    "title": "Lò sấy chè bơm nhiệt",
    "description": "Thiết bị sấy chè xanh bằng bơm nhiệt, tự động điều khiển độ ẩm.",
    "language": "vi",
    "kind": "EQUIPMENT",
    "country": "VN",
}


def _event(kind: str, body: dict[str, Any], db_epoch: int) -> Event:
    return Event(
        id=new_id(),
        type=kind,
        source="ketnoi/test",
        aggregate_id=UUID(body["id"]),
        aggregate_version=body["version"],
        time=NOON,
        data=json.dumps(body, ensure_ascii=False).encode(),
        db_epoch=db_epoch,
    )


def _body(owner: str, status: str, given: dict[str, Any]) -> dict[str, Any]:
    moment = NOON.isoformat()
    fixed = {"version": 1, "created_at": moment, "updated_at": moment, "owner": owner}
    return {"id": str(new_id()), "status": status} | fixed | given


class World:
    """What the other services would say, told as events, and what the tables say then."""

    def __init__(self, bus: Bus, transactions: MatchingTransactions) -> None:
        self._bus = bus
        self.transactions = transactions

    def demand(self, status: str = "PUBLISHED", *, db_epoch: int = 1, **given: Any) -> Event:
        """A demand's state; tea drying unless told otherwise."""
        body = _body("enterprise-1", status, TEA_DEMAND | given)
        return _event(f"demand.request.{status.lower()}.v1", body, db_epoch)

    def supply(self, status: str = "PUBLISHED", *, db_epoch: int = 1, **given: Any) -> Event:
        """A supply's state; a tea dryer unless told otherwise."""
        body = _body("office-kr", status, TEA_SUPPLY | given)
        return _event(f"supply.offer.{status.lower()}.v1", body, db_epoch)

    def later(self, event: Event, status: str | None = None, **given: Any) -> Event:
        """The next version of the same demand or supply."""
        body = json.loads(event.data) | given | {"version": event.aggregate_version + 1}
        body["status"] = status or body["status"]
        make = self.demand if event.type.startswith("demand") else self.supply
        return make(**body)

    async def send(self, event: Event) -> None:
        """Send one event; a message id of its own keeps the broker from taking out a repeat."""
        js = await self._bus.jetstream()
        headers = event.headers() | {"Nats-Msg-Id": str(uuid4())}
        await js.publish(event.subject, event.data, headers=headers)

    async def tell(self, *events: Event) -> None:
        """Send the events in this order, and wait until each has been read."""
        for event in events:
            await self.send(event)
        await self._seen({event.id for event in events})
        await self.quiet()

    async def _seen(self, ids: set[UUID]) -> None:
        inbox = tables.messaging.inbox
        counting = select(func.count(inbox.c.event_id.distinct())).where(inbox.c.event_id.in_(ids))
        while True:
            async with self.transactions.read() as connection:
                if await connection.scalar(counting) == len(ids):
                    return
            await asyncio.sleep(0.01)

    async def quiet(self) -> None:
        """Wait until every event sent so far has been acknowledged."""
        for spec in consumers_of("svc_matching"):
            while await self._bus.pending(spec.stream, spec.name):
                await asyncio.sleep(0.01)

    async def forget(self) -> None:
        """Empty the schema, and the index with it."""
        matcher = self.transactions.matcher
        async with matcher.lock:
            async with self.transactions.database.begin() as connection:
                for table in tables.metadata.tables.values():
                    if table.name != "db_epoch":
                        await connection.execute(delete(table))
            matcher.loaded = False
            matcher.supplies_changed_at = None
            matcher.settle()
        async with self.transactions.begin():
            pass

    async def rows(self, table: Any) -> list[Any]:
        async with self.transactions.read() as connection:
            return list((await connection.execute(select(table))).all())

    async def events(self, kind: str, aggregate_id: UUID) -> list[dict[str, Any]]:
        """Return the bodies of our own events about one demand, oldest first."""
        outbox = tables.messaging.outbox
        async with self.transactions.read() as connection:
            found = await connection.scalars(
                select(outbox.c.data)
                .where(outbox.c.type == kind, outbox.c.aggregate_id == aggregate_id)
                .order_by(outbox.c.seq)
            )
            return [json.loads(body) for body in found]


@pytest.fixture
async def world(bus: Bus, app: FastAPI) -> World:
    """An empty schema with the service running on it."""
    world = World(bus, app.state.transactions)
    await world.quiet()
    await world.forget()
    return world


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://matching") as client:
        yield client


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def ask(client: httpx.AsyncClient, authorization: Callable[..., dict[str, str]]) -> Ask:
    """Read a path as somebody: `ask("/v1/…", "dost", province="19")`; operator by default."""

    async def get(
        path: str,
        role: str = "operator",
        tenant: str | None = None,
        *,
        params: dict[str, Any] | None = None,
        **claims: Any,
    ) -> httpx.Response:
        headers = {} if role == "anonymous" else authorization(role, tenant, **claims)
        return await client.get(path, params=params, headers=headers)

    return get


@pytest.fixture(scope="session", autouse=True)
def vocabulary_is_loaded() -> None:
    """Read it before any test that watches its time."""
    for language in ("vi", "en", "ko", "ja", "zh", "de"):
        concepts_in("a", language)
    units_in("a")
    restore("a")
    choose_language("a", None)
