"""Outbox, relay, consumer and inbox on a real Postgres and a real nats-server."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import nats
import pytest
from sqlalchemy import text

from events.scene import SPEC, STREAM, TYPE, Body, Read, Tables, record, until
from ketnoi.local import LocalServers
from shared.contracts.events import Event
from shared.kernel.ids import new_id
from shared.nats import Bus, PublishError
from shared.outbox import Relay, Transactions, UnitOfWork


async def _stream_count(own: LocalServers) -> int:
    client = await nats.connect(own.nats_admin_url)
    try:
        return (await client.jetstream().stream_info("DEMAND")).state.messages
    finally:
        await client.close()


async def test_a_rolled_back_change_leaves_no_event(
    transactions: Transactions, tables: Tables
) -> None:
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with transactions.begin() as work:
            work.publish(TYPE, new_id(), 1, Body())
            raise RuntimeError("changed my mind")
    assert await tables.unpublished() == 0


async def test_the_relay_sends_each_row_once(
    tables: Tables, relay: Relay, own: LocalServers
) -> None:
    before = await _stream_count(own)
    await tables.publish(1)
    await tables.publish(120)
    assert await relay.drain_once() == 121
    assert await relay.drain_once() == 0
    assert await _stream_count(own) == before + 121


async def test_only_one_relay_sends_at_a_time(
    transactions: Transactions, tables: Tables, relay: Relay, bus: Bus
) -> None:
    await tables.publish(3)
    assert await relay.drain_once() == 3
    other = Relay(transactions, bus, STREAM)
    await tables.publish(3)
    assert await other.drain_once() == 0  # the first one holds the lock
    await relay.close()
    assert await other.drain_once() == 3
    await other.close()


async def test_a_batch_that_was_stored_but_not_marked_is_not_stored_twice(
    tables: Tables, relay: Relay, bus: Bus, own: LocalServers
) -> None:
    events = await tables.publish(5)
    before = await _stream_count(own)
    await bus.publish_batch(events[:3], "DEMAND")  # as if the relay died before marking
    assert await relay.drain_once() == 5
    assert await _stream_count(own) == before + 5
    assert relay.repairs == 0


async def test_publishing_without_a_connection_is_refused_at_once() -> None:
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


async def test_an_event_delivered_twice_has_one_effect(
    tables: Tables, relay: Relay, bus: Bus, read: Read
) -> None:
    reading = read(record)
    events = await tables.publish(40)
    await relay.drain_once()
    # The same events again under other message ids: the broker cannot know, the inbox does.
    js = await bus.jetstream()
    for event in events:
        headers = event.headers() | {"Nats-Msg-Id": str(uuid4())}
        await js.publish(event.subject, event.data, headers=headers)
    ours = {str(event.id) for event in events}

    async def drained() -> bool:
        return await bus.pending(SPEC.stream, SPEC.name) == 0

    await until(drained)
    await reading.end()
    effects = [found for found in await tables.effects() if found in ours]
    assert sorted(effects) == sorted(ours)


async def test_a_poisoned_event_becomes_a_dead_letter_and_its_neighbours_pass(
    tables: Tables, relay: Relay, bus: Bus, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.dead_letters.RETRY_SECONDS", (0.01,) * 4)
    events = await tables.publish(10)
    poison = events[4]

    async def handler(work: UnitOfWork, batch: Sequence[Event]) -> None:
        await record(work, batch)
        if any(event.id == poison.id for event in batch):
            raise ValueError("cannot digest this")

    read(handler)
    await relay.drain_once()
    js = await bus.jetstream()
    await js.publish(f"{TYPE}.{uuid4()}", b"no headers at all")

    async def buried() -> bool:
        return await tables.states() == ["OPEN", "OPEN"]

    await until(buried)
    effects = await tables.effects()
    assert str(poison.id) not in effects
    assert {str(event.id) for event in events} - {str(poison.id)} <= set(effects)
    (row,) = [found for found in await tables.letters() if found.message_id == str(poison.id)]

    async def tried_five_times() -> bool:
        found = [at for at in await tables.letters() if at.message_id == str(poison.id)]
        return found[0].attempts == 5 and found[0].error.startswith("ValueError")

    await until(tried_five_times)
    assert row.data == poison.data
    assert json.loads(row.headers)["ce-id"] == str(poison.id)
    assert "cannot digest this" in row.error


async def test_an_outage_of_the_broker_only_delays(
    tables: Tables, relay: Relay, own: LocalServers
) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    os.kill(own.nats_pid, signal.SIGSTOP)
    try:
        await tables.publish(30)
        relay.wake()
        await asyncio.sleep(0.3)
        assert await tables.unpublished() == 30
    finally:
        os.kill(own.nats_pid, signal.SIGCONT)

    async def sent() -> bool:
        return await tables.unpublished() == 0

    await until(sent)
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
