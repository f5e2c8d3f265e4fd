"""What one process says of itself: faults that need a clock, a lock or a handler of one's own."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from fastapi import FastAPI
from sqlalchemy import MetaData, text

from ketnoi.local import LocalServers
from ketnoi.provisioning.streams import provision_streams
from shared.contracts.messaging import consumers_of
from shared.db import Database
from shared.http import advice
from shared.http.app import build_app
from shared.http.auth import TokenVerifier
from shared.http.broker_health import objects_exist
from shared.http.database_health import DatabaseHealth
from shared.http.disk_health import DiskHealth
from shared.http.health import Check, Health
from shared.http.loop import LoopMonitor
from shared.http.service_health import service_health
from shared.kernel.clock import utc_now
from shared.kernel.errors import UnauthenticatedError
from shared.kernel.ids import new_id
from shared.nats import Bus
from shared.outbox import MessagingTables, Transactions, Worker
from shared.outbox.restarts import Restarts
from shared.outbox.worker import _keep_running
from shared.settings import ServiceSettings

SOURCES = Path(__file__).parents[2]


@asynccontextmanager
async def no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def asked(health: Health, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An app with this health, and a client that asks it."""
    app = build_app(
        title="health",
        description="",
        version="1",
        settings=ServiceSettings(**settings),
        routers=[],
        health=health,
        lifespan=no_lifespan,
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


@pytest.fixture
async def database(servers: LocalServers) -> AsyncIterator[Database]:
    opened = Database(servers.database_url("svc-reporting"), pool_size=1)
    yield opened
    await opened.close()


async def entry_of(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    document = (await client.get("/healthz")).json()
    return document["checks"][name][0]


async def seen(client: httpx.AsyncClient, name: str, code: str, seconds: float = 15) -> Any:
    async with asyncio.timeout(seconds):
        while (entry := await entry_of(client, name)).get("code") != code:
            await asyncio.sleep(0.05)
    assert entry["what"]["vi"]
    assert entry["what_to_do"]["en"]
    return entry


# Faults


async def test_a_handler_that_never_ends(
    servers: LocalServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.reconciler.STUCK_SECONDS", 0.5)
    database = Database(servers.database_url("svc-reporting"))
    tables = MessagingTables.on(MetaData())
    transactions = Transactions(database, tables, source="ketnoi/svc-reporting")
    entered, released = asyncio.Event(), asyncio.Event()

    async def never(_work: Any, _events: Sequence[Any]) -> None:
        entered.set()
        await released.wait()

    names = ("reporting-demand", "reporting-supply", "reporting-matching")
    worker = Worker(
        "svc_reporting",
        servers.nats_url("svc-reporting"),
        transactions,
        handlers=dict.fromkeys(names, never),
        reconcile_seconds=0.2,
    )
    health = service_health("svc_reporting", database, worker)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        client = await stack.enter_async_context(asked(health))
        async with asyncio.timeout(15):
            running = worker.running()
            await running.__aenter__()
        try:
            await publish_demand(servers)
            async with asyncio.timeout(10):
                await entered.wait()
            entry = await seen(client, "consumers", "consumer_stopped")
            assert "reporting-demand" in entry["output"]
            assert (await client.get("/readyz")).status_code == 200, "reading goes on"
        finally:
            released.set()
            await running.__aexit__(None, None, None)


async def publish_demand(servers: LocalServers) -> None:
    client = await nats.connect(servers.nats_admin_url)
    identity = new_id()
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(new_id()),
        "ce-type": "demand.request.published.v1",
        "ce-source": "ketnoi/demand",
        "ce-subject": str(identity),
        "ce-time": utc_now().isoformat(),
        "ce-aggregateversion": "1",
        "ce-dbepoch": "1",
        "content-type": "application/json",
    }
    subject = f"demand.request.published.v1.{identity}"
    await client.jetstream().publish(subject, b"{}", stream="DEMAND", headers=headers)
    await client.close()


async def test_an_outbox_that_does_not_drain(servers: LocalServers) -> None:
    """Another process holds the relay's lock and sends nothing."""
    database = Database(servers.database_url("svc-demand"))
    tables = MessagingTables.on(MetaData())
    late = timedelta(seconds=45)
    transactions = Transactions(database, tables, source="x", clock=lambda: utc_now() - late)
    worker = Worker("svc_demand", servers.nats_url("svc-demand"), transactions, handlers={})
    health = service_health("svc_demand", database, worker)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        client = await stack.enter_async_context(asked(health))
        async with transactions.begin() as work:
            work.publish("demand.request.published.v1", new_id(), 1, b"{}")
        transactions.clock = utc_now
        entry = await seen(client, "outbox", "outbox_late")
        assert entry["observedValue"] >= 1
        metrics = (await client.get("/metrics")).text
        assert re.search(r"ketnoi_outbox_unpublished [1-9]", metrics)
        assert re.search(r"ketnoi_outbox_oldest_seconds (4[5-9]|[5-9]\d)", metrics)
        async with database.begin() as connection:
            await connection.execute(text("DELETE FROM outbox WHERE published_at IS NULL"))


async def test_a_clock_that_is_wrong(database: Database) -> None:
    ahead = timedelta(minutes=10)
    found = DatabaseHealth(database, "svc_reporting", lambda: utc_now() + ahead)
    health = Health("svc_reporting")
    health.add("database", found.check, needed=True)
    health.add("clock", found.clock_check, after="database")
    async with asked(health) as client:
        entry = await seen(client, "clock", "clock_skew")
        assert entry["status"] == "warn"
        assert entry["observedValue"] == pytest.approx(600, abs=2)
        assert (await client.get("/readyz")).status_code == 200


async def test_an_issuer_whose_clock_is_ahead(jwks_path: Path, authorization: Any) -> None:
    verifier = TokenVerifier(jwks_path, now=lambda: time.time() - 60)
    assert (await verifier.clock_check()).status == "pass"
    with pytest.raises(UnauthenticatedError):
        verifier.verify(authorization("operator")["Authorization"].removeprefix("Bearer "))
    found = await verifier.clock_check()
    assert (found.code, found.observed) == ("token_clock_skew", pytest.approx(60, abs=2))


async def test_a_pool_that_is_exhausted(database: Database) -> None:
    found = DatabaseHealth(database, "svc_reporting")
    async with database.read():  # the only one of its pool
        assert (await found.check()).code == "pool_exhausted"
    assert (await found.check()).status == "pass"


async def test_a_schema_that_is_older_than_the_software(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = DatabaseHealth(database, "svc_reporting")
    health = Health("svc_reporting")
    health.add_startup("migrations", found.migrations)
    there = (await found.migrations()).observed
    monkeypatch.setattr(
        "shared.http.database_health._revisions", lambda _: ({there, "9999"}, "9999")
    )
    async with asked(health) as client:
        starting = await client.get("/startupz")
        assert starting.status_code == 503
        assert starting.json()["lacking"] == {"migrations": f"{there} is there, not 9999"}
        monkeypatch.undo()
        assert (await client.get("/startupz")).status_code == 200


async def test_streams_and_consumers_have_to_be_there_at_the_start(servers: LocalServers) -> None:
    bus = Bus(servers.nats_url("svc-reporting"), "svc_reporting")
    specs = consumers_of("svc_reporting")
    assert (await objects_exist(bus, "REPORTING", specs)).status == "pass", "the broker is away"
    await bus.start()
    try:
        await bus.jetstream()
        assert (await objects_exist(bus, "REPORTING", specs)).output is None
        client = await nats.connect(servers.nats_admin_url)
        await client.jetstream().delete_consumer("SUPPLY", "reporting-supply")
        await client.close()
        found = await objects_exist(bus, "REPORTING", specs)
        assert (found.status, found.output) == ("fail", "consumer reporting-supply")
    finally:
        await provision_streams(servers.nats_admin_url)
        await bus.close()


async def test_a_background_task_that_died_and_lives_again() -> None:
    restarts, stop = Restarts(), asyncio.Event()

    async def loop(_: asyncio.Event) -> None:
        if not restarts.counts:
            raise KeyError("unforeseen")
        stop.set()

    await _keep_running("relay", loop, stop, restarts)
    found = await restarts.check()
    assert (found.status, found.code, found.observed) == ("warn", "task_died", 1)
    assert found.output == "relay: KeyError: 'unforeseen'"


async def test_a_small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = {"free": 10**12}
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: type("Usage", (), {"total": 2 * 10**12, **usage})()
    )
    disk = DiskHealth(tmp_path)
    assert (await disk.check()).status == "pass"
    usage["free"] = 5 * 10**8
    assert (await disk.check()).code == "disk_low"
    usage["free"] = 10**7
    assert (await disk.check()).code == "disk_full"


# The rules of health itself


async def test_alive_looks_at_no_dependency_and_ready_only_at_what_is_needed() -> None:
    health = Health("x")

    async def broken() -> Check:
        raise ConnectionError("gone")

    async def awry() -> Check:
        return Check("warn", "broker_away")

    health.add("database", broken, needed=True)
    health.add("nats", awry)
    async with asked(health) as client:
        assert (await client.get("/livez")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["failing"]) == (503, ["database"])
    health = Health("x")
    health.add("nats", awry)
    async with asked(health) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz")).json()["status"] == "warn"
        health.leave()
        assert (await client.get("/readyz")).json()["failing"] == ["process"]
        assert (await entry_of(client, "process"))["code"] == "leaving"


async def test_many_visitors_make_one_look() -> None:
    looks = 0

    async def look() -> Check:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)
        return Check("pass")

    health = Health("x")
    health.add("database", look, needed=True)
    async with asked(health) as client:
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        await client.get("/healthz")
    assert looks == 1


async def test_what_depends_on_a_broken_part_is_not_asked() -> None:
    async def fails() -> Check:
        return Check("fail", "database_unreachable")

    async def never() -> Check:
        raise AssertionError("asked")

    health = Health("x")
    health.add("database", fails)
    health.add("outbox", never, after="database")
    async with asked(health) as client:
        entry = await entry_of(client, "outbox")
        assert (entry["status"], entry["code"], entry["output"]) == (
            "warn",
            "not_checked",
            "database",
        )


async def test_since_tells_when_a_state_began_and_survives_the_next_look() -> None:
    health = Health("x")
    state = Check("warn", "broker_away")

    async def look() -> Check:
        return state

    health.add("nats", look)
    component = health._components["nats"]
    component.note(await look())
    began = component.since
    component.note(await look())
    assert component.since == began
    component.since = began = "2026-01-01T00:00:00+00:00"
    component.note(Check("warn", "broker_silent"))
    assert component.since > began


async def test_a_fault_is_noticed_though_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.http.health.WATCH_SECONDS", 0.01)
    looked = asyncio.Event()

    async def look() -> Check:
        looked.set()
        return Check("warn", "broker_away")

    health = Health("x")
    health.add("nats", look)
    async with health.running(), asyncio.timeout(5):
        await looked.wait()


def test_a_loop_that_was_blocked_for_long_is_not_alive() -> None:
    monitor = LoopMonitor()
    assert monitor.alive()
    monitor._due = time.monotonic() - 6
    assert not monitor.alive()


async def test_a_browser_gets_a_page_in_its_language_and_a_monitor_the_document() -> None:
    async def look() -> Check:
        return Check("fail", "database_unreachable", output="<script>alert(1)</script>")

    health = Health("svc-x")
    health.add("database", look)
    async with asked(health) as client:
        browser = {"Accept": "text/html,application/xhtml+xml"}
        page = await client.get("/healthz", headers=browser)
        assert page.headers["content-type"].startswith("text/html")
        assert 'lang="vi"' in page.text
        assert "Không kết nối được tới PostgreSQL" in page.text
        assert "<script" not in page.text
        assert not re.search(r"(src|href)=", page.text), "nothing is fetched from anywhere"
        english = await client.get("/healthz", headers=browser | {"Accept-Language": "en"})
        assert "PostgreSQL cannot be reached" in english.text
        plain = await client.get("/healthz")
        assert plain.headers["content-type"] == "application/health+json"
        assert plain.status_code == page.status_code == 503


def test_every_diagnosis_is_explained_once_and_in_both_languages() -> None:
    given: set[str] = set()
    for member in ("shared", "gateway", "svc-matching"):
        for file in (SOURCES / member / "src").rglob("*.py"):
            given |= set(
                re.findall(r'Check\(\s*"(?:warn|fail)",\s*"([a-z_]+)"', file.read_text("utf-8"))
            )
    assert len(given) > 15
    assert given <= set(advice.ADVICE)
    texts = [entry.what.vi for code, entry in advice.ADVICE.items() if "unknown" not in code]
    assert len(texts) == len(set(texts)), "no two diagnoses read alike"
    for entry in advice.ADVICE.values():
        for said in (entry.what, entry.todo):
            assert said.vi.rstrip().endswith((".", ")"))
            assert said.en.rstrip().endswith((".", ")"))
            assert said.vi != said.en
