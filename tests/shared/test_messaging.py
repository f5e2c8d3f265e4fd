"""Outbox, relay, consumer and inbox on a real Postgres and a real nats-server."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import nats
import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import Connection, MetaData, func, select, text

from ketnoi.addresses import async_url
from ketnoi.local import LocalServers, embedded_servers
from shared.contracts.events import Event
from shared.contracts.messaging import ConsumerSpec, consumers_of
from shared.db import Database
from shared.kernel.ids import new_id
from shared.nats import Bus, PublishError, PullConsumer
from shared.outbox import Consumer, Handler, MessagingTables, Relay, Transactions, UnitOfWork
from shared.outbox.migration import create_messaging_tables

TYPE = "demand.request.published.v1"
SPEC = next(spec for spec in consumers_of("svc_matching") if spec.stream == "DEMAND")


class Body(BaseModel):
    text: str = "Sấy chè"


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServers]:
    async with embedded_servers(tmp_path_factory.mktemp("own"), migrations=False) as running:
        yield running


def _create(connection: Connection, schema: str) -> None:
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    connection.execute(text(f"SET LOCAL search_path TO {schema}"))
    with Operations.context(MigrationContext.configure(connection)):
        create_messaging_tables()
    connection.execute(text("CREATE TABLE effect (event_id uuid, data text)"))
    connection.execute(text(f"ALTER ROLE CURRENT_USER SET search_path TO {schema}"))


@pytest.fixture
async def transactions(own: LocalServers) -> AsyncIterator[Transactions]:
    """Messaging tables in a schema of this test's own."""
    schema = f"scratch_{uuid4().hex[:8]}"
    url = async_url(own.admin_database_url)
    maker = Database(url)
    async with maker.begin() as connection:
        await connection.run_sync(_create, schema)
    await maker.close()
    database = Database(url)
    yield Transactions(database, MessagingTables.on(MetaData()), "ketnoi/test")
    await database.close()


@pytest.fixture
async def bus(own: LocalServers) -> AsyncIterator[Bus]:
    bus = Bus(own.nats_admin_url, "test")
    await bus.start()
    await bus.jetstream()
    yield bus
    await bus.close()


async def _publish(transactions: Transactions, count: int) -> list[Event]:
    async with transactions.begin() as work:
        for _ in range(count):
            work.publish(TYPE, new_id(), 1, Body())
    return list(work.events)


async def _stream_count(own: LocalServers) -> int:
    client = await nats.connect(own.nats_admin_url)
    try:
        return (await client.jetstream().stream_info("DEMAND")).state.messages
    finally:
        await client.close()


async def _unpublished(transactions: Transactions) -> int:
    outbox = transactions.tables.outbox
    async with transactions.read() as connection:
        counted = select(func.count()).select_from(outbox).where(outbox.c.published_at.is_(None))
        return int(await connection.scalar(counted) or 0)


async def _until(condition: object, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def test_a_rolled_back_change_leaves_no_event(transactions: Transactions) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with transactions.begin() as work:
            work.publish(TYPE, new_id(), 1, Body())
            raise RuntimeError("changed my mind")
    assert await _unpublished(transactions) == 0


async def test_the_relay_sends_each_row_once(
    transactions: Transactions, bus: Bus, own: LocalServers
) -> None:
    before = await _stream_count(own)
    await _publish(transactions, 1)
    await _publish(transactions, 120)
    relay = Relay(transactions, bus, "DEMAND")
    assert await relay.drain_once() == 121
    assert await relay.drain_once() == 0
    assert await _stream_count(own) == before + 121


async def test_a_batch_that_was_stored_but_not_marked_is_not_stored_twice(
    transactions: Transactions, bus: Bus, own: LocalServers
) -> None:
    events = await _publish(transactions, 5)
    before = await _stream_count(own)
    await bus.publish_batch(events[:3], "DEMAND")  # as if the relay died before marking
    assert await Relay(transactions, bus, "DEMAND").drain_once() == 5
    assert await _stream_count(own) == before + 5


async def test_publishing_without_a_connection_is_refused_at_once(own: LocalServers) -> None:
    bus = Bus("nats://nobody:wrong@127.0.0.1:1", "test")
    await bus.start()
    event = Event(
        id=uuid4(),
        type=TYPE,
        source="t",
        aggregate_id=uuid4(),
        aggregate_version=1,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        data=b"{}",
    )
    with pytest.raises((PublishError, TimeoutError)):
        async with asyncio.timeout(0.5):
            await bus.publish(event, "DEMAND")
    await bus.close()


async def _consume(
    transactions: Transactions, bus: Bus, handler: Handler, spec: ConsumerSpec = SPEC
) -> tuple[asyncio.Event, asyncio.Task[None]]:
    stop = asyncio.Event()
    consumer = Consumer(transactions, bus, PullConsumer(bus, spec), handler)
    return stop, asyncio.create_task(consumer.run(stop))


async def _record(work: UnitOfWork, events: Sequence[Event]) -> None:
    for event in events:
        await work.connection.execute(
            text("INSERT INTO effect VALUES (:id, :data)"),
            {"id": event.id, "data": event.data.decode()},
        )


async def _effects(transactions: Transactions) -> list[str]:
    async with transactions.read() as connection:
        return [str(row.event_id) for row in await connection.execute(text("SELECT * FROM effect"))]


async def test_an_event_delivered_twice_has_one_effect(
    transactions: Transactions, bus: Bus
) -> None:
    stop, task = await _consume(transactions, bus, _record)
    events = await _publish(transactions, 40)
    await Relay(transactions, bus, "DEMAND").drain_once()
    # The same events again under other message ids: the broker cannot know, the inbox does.
    js = await bus.jetstream()
    for event in events:
        headers = event.headers() | {"Nats-Msg-Id": str(uuid4())}
        await js.publish(event.subject, event.data, headers=headers)
    ours = {str(event.id) for event in events}

    async def drained() -> bool:
        return await bus.pending(SPEC.stream, SPEC.name) == 0

    await _until(drained)
    stop.set()
    await task
    effects = [found for found in await _effects(transactions) if found in ours]
    assert sorted(effects) == sorted(ours)


async def test_a_poisoned_event_becomes_a_dead_letter_and_its_neighbours_pass(
    transactions: Transactions, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.consumer.RETRY_SECONDS", (0.01,) * 5)
    events = await _publish(transactions, 10)
    poison = events[4]

    async def handler(work: UnitOfWork, batch: Sequence[Event]) -> None:
        await _record(work, batch)
        if any(event.id == poison.id for event in batch):
            raise ValueError("cannot digest this")

    stop, task = await _consume(transactions, bus, handler)
    await Relay(transactions, bus, "DEMAND").drain_once()
    js = await bus.jetstream()
    await js.publish(f"{TYPE}.{uuid4()}", b"no headers at all")
    letters = transactions.tables.dead_letter

    async def buried() -> bool:
        async with transactions.read() as connection:
            states = await connection.scalars(
                select(letters.c.state).where(letters.c.consumer == SPEC.name)
            )
            return sorted(states) == ["OPEN", "OPEN"]

    await _until(buried)
    stop.set()
    await task
    effects = await _effects(transactions)
    assert str(poison.id) not in effects
    assert {str(event.id) for event in events} - {str(poison.id)} <= set(effects)
    async with transactions.read() as connection:
        row = (
            await connection.execute(select(letters).where(letters.c.message_id == str(poison.id)))
        ).one()
    assert (row.attempts, row.data) == (5, poison.data)
    assert json.loads(row.headers)["ce-id"] == str(poison.id)
    assert "cannot digest this" in row.error


async def test_an_outage_of_the_broker_only_delays(
    transactions: Transactions, bus: Bus, own: LocalServers
) -> None:
    relay = Relay(transactions, bus, "DEMAND")
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    os.kill(own.nats_pid, signal.SIGSTOP)
    try:
        await _publish(transactions, 30)
        relay.wake()
        await asyncio.sleep(0.3)
        assert await _unpublished(transactions) == 30
    finally:
        os.kill(own.nats_pid, signal.SIGCONT)

    async def sent() -> bool:
        return await _unpublished(transactions) == 0

    await _until(sent)
    stop.set()
    relay.wake()
    await task


async def test_the_outbox_is_partitioned_by_month_and_old_months_are_dropped(
    transactions: Transactions,
) -> None:
    async with transactions.database.begin() as connection:
        await connection.execute(
            text(
                "CREATE TABLE outbox_202001 PARTITION OF outbox"
                " FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-02-01 00:00+00')"
            )
        )
        await connection.execute(text("SELECT maintain_outbox(90)"))
        parts = set(
            await connection.scalars(
                text(
                    "SELECT inhrelid::regclass::text FROM pg_inherits"
                    " WHERE inhparent = 'outbox'::regclass"
                )
            )
        )
    assert "outbox_202001" not in parts
    assert len(parts) == 4  # this month, the next two, and the rest
