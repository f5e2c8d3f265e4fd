"""The broker's store deleted or rolled back: nothing is lost, nobody has to do anything."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.scene import SPEC, STREAM, Broker, Read, Tables, record, until
from shared.nats import Bus
from shared.outbox import Reconciler, Relay, Transactions


@pytest.fixture
async def bus(broker: Broker) -> AsyncIterator[Bus]:
    """Instead of the shared one: a connection to the broker that is to be ruined."""
    bus = Bus(broker.url, "test")
    await bus.start()
    await bus.jetstream()
    yield bus
    await bus.close()


@pytest.fixture
def reconciler(transactions: Transactions, bus: Bus, relay: Relay) -> Reconciler:
    return Reconciler(transactions, bus, relay, STREAM, (SPEC,))


async def _drain(relay: Relay) -> int:
    total = 0
    while count := await relay.drain_once():
        total += count
    return total


async def _back(bus: Bus) -> None:
    async def connected() -> bool:
        return bus.connected

    await until(connected)


async def _all_seen(tables: Tables, expected: list[Any]) -> None:
    ids = sorted(str(event.id) for event in expected)

    async def seen() -> bool:
        return sorted(await tables.effects()) == ids

    await until(seen)


async def test_after_a_deleted_store_all_events_are_sent_again(
    broker: Broker, bus: Bus, relay: Relay, reconciler: Reconciler, tables: Tables, read: Read
) -> None:
    read(record)
    first = await tables.publish(700)
    assert await _drain(relay) == 700
    await reconciler.look()
    await _all_seen(tables, first)

    await broker.lose_everything()
    await _back(bus)
    found = await reconciler.look()
    assert "stream DEMAND is missing" in found.drift
    assert reconciler.repaired == {}  # there is nothing to send it to
    await broker.provision()
    found = await reconciler.look()
    assert found.drift == []
    assert reconciler.repaired == {"stream_lost_events": 700}
    late = await tables.publish(5)
    assert await _drain(relay) == 705
    assert (await bus.stream_state("DEMAND")).messages == 705
    await _all_seen(tables, [*first, *late])
    await reconciler.look()
    assert reconciler.repaired == {"stream_lost_events": 700}
    assert await reconciler.compare_counts() is None


async def test_after_a_rolled_back_store_the_reconciler_sends_what_is_missing(
    broker: Broker, bus: Bus, relay: Relay, reconciler: Reconciler, tables: Tables, read: Read
) -> None:
    reading = read(record)
    events = await tables.publish(60)
    await _drain(relay)
    await reconciler.look()
    await _all_seen(tables, events)
    await reading.end()
    await broker.remember()
    await _back(bus)
    reading = read(record)
    lost = await tables.publish(40)
    await _drain(relay)
    await _all_seen(tables, [*events, *lost])

    await broker.set_back()
    await _back(bus)
    assert (await bus.stream_state("DEMAND")).last_seq == 60
    await reconciler.look()
    assert reconciler.repaired == {"stream_lost_events": 40}
    assert await _drain(relay) == 40
    later = await tables.publish(1)
    await _drain(relay)
    assert (await bus.stream_state("DEMAND")).last_seq == 101
    await _all_seen(tables, [*events, *lost, *later])  # read once, though sent twice


async def test_after_a_rolled_back_store_the_relay_sees_it_before_anybody_looks(
    broker: Broker, bus: Bus, relay: Relay, tables: Tables, read: Read
) -> None:
    """New events take the places of the lost ones: the stream's length tells nothing any more."""
    await tables.publish(30)
    await _drain(relay)
    await broker.remember()
    await _back(bus)
    await tables.publish(20)
    await _drain(relay)
    await broker.set_back()
    await _back(bus)
    await tables.publish(100)
    assert await _drain(relay) == 120
    assert relay.repairs == 20
    assert (await bus.stream_state("DEMAND")).last_seq == 150
    reading = read(record)

    async def all_read() -> bool:
        return len(set(await tables.effects())) == 150

    await until(all_read)
    await reading.end()
    assert len(await tables.effects()) == 150


async def test_a_deleted_consumer_is_told_and_reads_on_once_it_is_provisioned(
    broker: Broker, bus: Bus, relay: Relay, reconciler: Reconciler, tables: Tables, read: Read
) -> None:
    consumer = read(record).consumer
    first = await tables.publish(3)
    await _drain(relay)
    await _all_seen(tables, first)
    js = await bus.jetstream()
    await js.delete_consumer(SPEC.stream, SPEC.name)

    async def told() -> bool:
        return consumer.pull.problem is not None

    await until(told)
    assert (await reconciler.look()).drift == [
        "consumer matching-demand of stream DEMAND is missing"
    ]
    second = await tables.publish(3)
    await _drain(relay)
    await broker.provision()
    await _all_seen(tables, [*first, *second])

    async def well() -> bool:
        return consumer.pull.problem is None

    await until(well)
    assert (await reconciler.look()).drift == []


async def test_a_setting_that_differs_is_named(
    bus: Bus, reconciler: Reconciler, broker: Broker
) -> None:
    js = await bus.jetstream()
    config = (await js.stream_info("DEMAND")).config
    await js.update_stream(config, max_msg_size=4096)
    spec = (await js.consumer_info(SPEC.stream, SPEC.name)).config
    spec.max_ack_pending = 7
    await js.add_consumer(SPEC.stream, spec)
    assert (await reconciler.look()).drift == [
        "stream DEMAND: max_msg_size is 4096, should be 1048576",
        "consumer matching-demand: max_ack_pending is 7, should be 256",
    ]
    await broker.provision()
    assert (await reconciler.look()).drift == []


async def test_a_client_that_the_server_has_closed_begins_anew(
    bus: Bus, relay: Relay, tables: Tables, read: Read
) -> None:
    read(record)
    await bus._client.close()  # what nats-py does when the server refuses it

    async def connected() -> bool:
        return bus.connected

    await until(connected)
    events = await tables.publish(4)
    await _drain(relay)
    await _all_seen(tables, events)


async def test_what_waits_after_an_outage_is_found_without_a_broken_connection(
    tables: Tables, relay: Relay, reconciler: Reconciler
) -> None:
    """A relay that nobody wakes polls by itself; the reconciler wakes it beside that."""
    await tables.publish(2)
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))

    async def sent() -> bool:
        return await tables.unpublished() == 0

    await until(sent)
    stop.set()
    relay.wake()
    await task
    assert (await reconciler.look()).counts is None
