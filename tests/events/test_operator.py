"""The operator's verbs on a real service: dead letters, a new epoch, a rebuild."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData

from events.scene import until
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.local import LocalServers, embedded_servers
from ketnoi.operator.dead_letters import (
    discard_letter,
    list_letters,
    redrive_letters,
    show_letter,
)
from ketnoi.operator.new_epoch import new_epoch
from ketnoi.operator.rebuild import rebuild
from ketnoi.operator.republish import republish
from shared.contracts.messaging import CONSUMERS, consumers_of, stream_of
from shared.db import Database
from shared.kernel.ids import new_id
from shared.nats import Bus
from shared.nats.objects import consumer_config
from shared.outbox import MessagingTables, Relay, Transactions, Worker
from svc_reporting.settings import Settings
from svc_reporting.worker import build_worker, open_database, open_transactions

PUBLISHED = "demand.request.published.v1"
HELD = "demand.request.on_hold.v1"
FACTS = ("demand_fact", "supply_fact", "match_fact", "diagnosis_fact", "watermark")


@pytest.fixture(scope="module")
async def suite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServers]:
    async with embedded_servers(tmp_path_factory.mktemp("operator")) as running:
        yield running


@pytest.fixture(scope="module")
def environment(suite: LocalServers, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    variables = {
        "DATABASE_URL": suite.admin_database_url,
        "NATS_URL": suite.nats_admin_url,
        "KETNOI_HOME": str(tmp_path_factory.mktemp("home")),
    }
    return Environment.read(variables, Path.cwd())


@pytest.fixture(scope="module")
async def worker(suite: LocalServers) -> AsyncIterator[Worker]:
    """svc-reporting's background half, at work."""
    settings = Settings(
        database_url=SecretStr(suite.database_url("svc-reporting")),
        nats_url=SecretStr(suite.nats_url("svc-reporting")),
    )
    database = open_database(settings)
    worker = build_worker(settings, open_transactions(database))
    async with worker.running():
        yield worker
    await database.close()


class Producer:
    """svc-demand's voice: its outbox, and a relay that is driven by hand."""

    def __init__(self, transactions: Transactions, relay: Relay, bus: Bus) -> None:
        self.transactions = transactions
        self.relay = relay
        self.bus = bus

    async def tell(self, demand: UUID, version: int, **body: Any) -> None:
        state = {
            "id": str(demand),
            "version": version,
            "status": "PUBLISHED",
            "title": "Máy sấy chè",
            "owner": "enterprise-1",
            "created_at": "2026-05-01T00:00:00Z",
            "updated_at": "2026-05-01T00:00:00Z",
        }
        async with self.transactions.begin() as work:
            kind = HELD if body.get("status") == "ON_HOLD" else PUBLISHED
            work.publish(kind, demand, version, json.dumps(state | body).encode())
        await self.send()

    async def send(self) -> None:
        """Send what is there, and wait until everybody has read it."""
        while await self.relay.drain_once():
            pass
        for spec in consumers_of("svc_reporting"):
            while await self.bus.pending(spec.stream, spec.name):
                await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
async def producer(suite: LocalServers, worker: Worker) -> AsyncIterator[Producer]:
    database = Database(suite.database_url("svc-demand"))
    transactions = Transactions(database, MessagingTables.on(MetaData()), "ketnoi/svc-demand")
    bus = Bus(suite.nats_admin_url, "producer")
    await bus.start()
    await bus.jetstream()
    relay = Relay(transactions, bus, stream_of("svc_demand"))
    yield Producer(transactions, relay, bus)
    await relay.close()
    await bus.close()
    await database.close()


@pytest.fixture
async def admin(suite: LocalServers) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(suite.admin_database_url, database="ketnoi")
    yield connection
    await connection.close()


async def _facts(admin: Any) -> list[str]:
    return [
        f"{table} {row[0]}"
        for table in FACTS
        for row in await admin.fetch(f"SELECT t::text FROM reporting.{table} t ORDER BY 1")
    ]


async def _status(admin: Any, demand: UUID) -> str | None:
    found: str | None = await admin.fetchval(
        "SELECT status FROM reporting.demand_fact WHERE id = $1", demand
    )
    return found


async def _letter(admin: Any, demand: UUID) -> Any:
    return await admin.fetchrow(
        "SELECT * FROM reporting.dead_letter WHERE subject LIKE '%' || $1::text ORDER BY number",
        str(demand),
    )


async def _run(verb: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    await asyncio.to_thread(verb, *args, **kwargs)


async def test_a_dead_letter_is_shown_redriven_and_discarded(
    environment: Environment,
    producer: Producer,
    admin: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.outbox.dead_letters.RETRY_SECONDS", (0.01,) * 4)
    monkeypatch.setenv("COLUMNS", "250")
    demand, other = new_id(), new_id()
    # Its cause: a table that is not as the code expects it.
    await admin.execute("ALTER TABLE reporting.demand_fact RENAME COLUMN owner TO owner_was")
    try:
        await producer.tell(demand, 1)
        await producer.tell(other, 1)

        async def both_wait() -> bool:
            letters = [await _letter(admin, found) for found in (demand, other)]
            return all(letter and letter["attempts"] == 5 for letter in letters)

        await until(both_wait)
        letter = await _letter(admin, demand)
        name = f"reporting-{letter['number']}"
        await _run(list_letters, environment, service="reporting", consumer=None, state="open")
        assert re.search(rf"{name}\s.*reporting-demand.*OPEN.*5.*owner", capsys.readouterr().out)
        await _run(
            redrive_letters, environment, name, everything=False, service=None, consumer=None
        )
        assert "failed again" in capsys.readouterr().out
        await _run(show_letter, environment, name)
        shown = json.loads(capsys.readouterr().out)
        assert shown["data"]["id"] == str(demand)
        assert shown["state"] == "OPEN"
        assert shown["attempts"] == 6
        assert [entry["what"] for entry in shown["history"]] == ["redrive", "failed again"]
    finally:
        await admin.execute("ALTER TABLE reporting.demand_fact RENAME COLUMN owner_was TO owner")

    with pytest.raises(UsageError, match="--reason"):
        await _run(discard_letter, environment, name, reason=" ")
    spare = f"reporting-{(await _letter(admin, other))['number']}"
    await _run(discard_letter, environment, spare, reason="đã nhập lại bằng tay")
    kept = await _letter(admin, other)
    (entry,) = json.loads(kept["history"])
    assert (kept["state"], entry["reason"]) == ("DISCARDED", "đã nhập lại bằng tay")
    assert "@" in entry["by"]
    assert datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)

    await _run(redrive_letters, environment, None, everything=True, service=None, consumer=None)
    assert "digested" in capsys.readouterr().out
    assert (await _letter(admin, demand))["state"] == "REDRIVEN"
    assert await _status(admin, demand) == "PUBLISHED"
    assert await _status(admin, other) is None
    with pytest.raises(UsageError, match="no dead letter"):
        await _run(discard_letter, environment, name, reason="zu spät")


async def test_a_restored_producer_is_believed_under_a_new_epoch(
    environment: Environment, producer: Producer, admin: Any
) -> None:
    demand, born_later = new_id(), new_id()
    await producer.tell(demand, 1, province="19")
    backup = await admin.fetchval("SELECT max(seq) FROM demand.outbox")
    sent = await admin.fetchval("SELECT last_seq FROM demand.relay_state")
    await producer.tell(demand, 2, province="33")
    await producer.tell(demand, 3, status="ON_HOLD", province="33")
    await producer.tell(born_later, 1)
    assert await _status(admin, demand) == "ON_HOLD"

    # The producer's database as it was then; readers and broker know nothing of it.
    await producer.relay.close()
    await admin.execute("DELETE FROM demand.outbox WHERE seq > $1", backup)
    await admin.execute("UPDATE demand.relay_state SET last_seq = $1", sent)
    await producer.tell(demand, 2, province="92")
    assert await _status(admin, demand) == "ON_HOLD"  # taken for old news: the control

    before = await admin.fetchval("SELECT epoch FROM demand.db_epoch")
    await producer.relay.close()
    await _run(new_epoch, environment, service="demand")
    assert await admin.fetchval("SELECT epoch FROM demand.db_epoch") > before
    await producer.send()
    assert await _status(admin, demand) == "PUBLISHED"  # told again, and believed
    query = "SELECT province, version FROM reporting.demand_fact WHERE id = $1"
    assert tuple(await admin.fetchrow(query, demand)) == ("92", 2)
    await producer.tell(demand, 3, province="06")
    assert tuple(await admin.fetchrow(query, demand)) == ("06", 3)


async def test_a_restored_reader_reads_from_the_start(
    environment: Environment, producer: Producer, admin: Any
) -> None:
    first, lost = new_id(), new_id()
    await producer.tell(first, 1)
    await producer.tell(lost, 1)
    # The reader's database as it was before the second event, which the broker counts as read.
    await admin.execute("DELETE FROM reporting.demand_fact WHERE id = $1", lost)
    await admin.execute(
        "DELETE FROM reporting.inbox WHERE event_id ="
        " (SELECT event_id FROM demand.outbox WHERE aggregate_id = $1)",
        lost,
    )
    await _run(new_epoch, environment, service="reporting")

    async def read_again() -> bool:
        return await _status(admin, lost) == "PUBLISHED"

    await until(read_again)
    await producer.send()
    assert await _status(admin, first) == "PUBLISHED"


async def test_a_rebuild_beside_the_running_service_ends_in_the_same_rows(
    environment: Environment, producer: Producer, admin: Any
) -> None:
    demands = [new_id() for _ in range(1200)]
    async with producer.transactions.begin() as work:
        for demand in demands:
            state = {
                "id": str(demand),
                "version": 1,
                "status": "PUBLISHED",
                "title": "Máy sấy chè",
                "owner": "enterprise-1",
                "created_at": "2026-05-01T00:00:00Z",
                "updated_at": "2026-05-01T00:00:00Z",
            }
            work.publish(PUBLISHED, demand, 1, json.dumps(state).encode())
    await producer.send()
    await producer.tell(demands[0], 2, status="ON_HOLD")
    true = await _facts(admin)
    await admin.execute("UPDATE reporting.demand_fact SET owner = 'nobody', version = 99")

    running = asyncio.create_task(
        _run(rebuild, environment, service="reporting", accept_gaps=False)
    )
    late = new_id()
    await producer.tell(late, 1)  # comes while it is rebuilt, or after
    await running
    ours = {str(demand) for demand in demands}

    def of_ours(facts: list[str]) -> list[str]:
        return [fact for fact in facts if fact.partition("(")[2].partition(",")[0] in ours]

    assert len(of_ours(true)) == len(ours)
    assert of_ours(await _facts(admin)) == of_ours(true)
    after = new_id()
    await producer.tell(after, 1)  # the service writes to the new tables
    assert await _status(admin, after) == "PUBLISHED"
    assert await _status(admin, late) == "PUBLISHED"
    assert await admin.fetchval("SELECT to_regnamespace('reporting_rebuild')") is None
    facts = await _facts(admin)
    await _run(rebuild, environment, service="reporting", accept_gaps=False)
    assert await _facts(admin) == facts  # nothing happened meanwhile: equal to the last bit


async def test_a_rebuild_from_a_shortened_history_has_to_be_wanted(
    environment: Environment, producer: Producer, admin: Any
) -> None:
    old = new_id()
    await producer.tell(old, 1)
    await admin.execute("DELETE FROM demand.outbox WHERE aggregate_id = $1", old)
    await admin.execute("UPDATE demand.relay_state SET dropped_before = '2026-01-01 00:00+00'")
    try:
        with pytest.raises(LauncherError, match="only from 2026-01-01 on"):
            await _run(rebuild, environment, service="reporting", accept_gaps=False)
        await _run(rebuild, environment, service="reporting", accept_gaps=True)
    finally:
        await admin.execute("UPDATE demand.relay_state SET dropped_before = NULL")
    assert await _status(admin, old) == "PUBLISHED"
    with pytest.raises(UsageError, match="cannot be rebuilt"):
        await _run(rebuild, environment, service="demand", accept_gaps=False)


async def test_republishing_changes_nothing_where_nothing_was_lost(
    environment: Environment, producer: Producer, admin: Any
) -> None:
    await producer.tell(new_id(), 1)
    before = await _facts(admin)
    held = (await producer.bus.stream_state("DEMAND")).messages
    await _run(republish, environment, service="demand", since=None)
    assert await admin.fetchval("SELECT count(*) FROM demand.outbox WHERE published_at IS NULL")
    await producer.send()
    assert await _facts(admin) == before
    assert (await producer.bus.stream_state("DEMAND")).messages == held
    assert producer.relay.repairs == 0


async def test_health_names_a_dead_letter_and_a_missing_consumer(
    producer: Producer, worker: Worker, admin: Any
) -> None:
    checks = worker.checks()
    js = await producer.bus.jetstream()
    await js.publish(f"{PUBLISHED}.{new_id()}", b"no headers")

    async def told() -> bool:
        return (await checks["dead_letters"]()).status == "warn"

    await until(told)
    await admin.execute("DELETE FROM reporting.dead_letter")
    assert (await checks["dead_letters"]()).status == "pass"
    spec = next(spec for spec in CONSUMERS if spec.name == "reporting-supply")
    await js.delete_consumer(spec.stream, spec.name)

    async def missed() -> bool:
        found = await checks["consumers"]()
        return (found.status, found.code) == ("warn", "messaging_missing")

    await until(missed)
    await js.add_consumer(spec.stream, consumer_config(spec))

    async def well() -> bool:
        return (await checks["consumers"]()).status == "pass"

    await until(well)
