"""How fast events leave and arrive: `python tests/load/events.py`, with servers of its own.

Figures: the drain of a full outbox, commit to stream ack at a steady rate, a consumer's batches.
The servers keep what they acknowledge (fsync), as in production.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from ketnoi.addresses import async_url
from ketnoi.local import LocalServers, embedded_servers
from ketnoi.provisioning.streams import provision_streams
from shared.contracts.events import Event
from shared.contracts.messaging import CONSUMERS, stream_of
from shared.db import Database
from shared.kernel.ids import new_id
from shared.nats import Bus, PullConsumer
from shared.outbox import Consumer, MessagingTables, Relay, Transactions, UnitOfWork
from shared.outbox.migration import create_messaging_tables

TYPE = "demand.request.published.v1"
BODY = b'{"text":"' + b"x" * 900 + b'"}'
SPEC = next(spec for spec in CONSUMERS if spec.name == "reporting-demand")


def _create(connection: Connection) -> None:
    schema = f"load_{uuid4().hex[:8]}"
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    connection.execute(text(f"SET LOCAL search_path TO {schema}"))
    with Operations.context(MigrationContext.configure(connection)):
        create_messaging_tables()
    connection.execute(text(f"ALTER ROLE CURRENT_USER SET search_path TO {schema}"))


async def _transactions(servers: LocalServers) -> Transactions:
    url = async_url(servers.admin_database_url)
    maker = Database(url)
    async with maker.begin() as connection:
        await connection.run_sync(_create)
    await maker.close()
    return Transactions(Database(url), MessagingTables.on(MetaData()), "ketnoi/load")


async def _fill(transactions: Transactions, count: int) -> None:
    for _ in range(0, count, 1000):
        async with transactions.begin() as work:
            for _ in range(1000):
                work.publish(TYPE, new_id(), 1, BODY)


async def drain(transactions: Transactions, bus: Bus, count: int) -> float:
    await _fill(transactions, count)
    relay = Relay(transactions, bus, stream_of("svc_demand"))
    await relay.drain_once()
    started, cpu = time.perf_counter(), time.process_time()
    sent = 0
    while found := await relay.drain_once():
        sent += found
    await relay.close()
    took, burnt = time.perf_counter() - started, time.process_time() - cpu
    print(f"drain: {sent / took:,.0f} events/s, {burnt / sent * 1e6:.0f} us CPU an event")
    return sent / took


async def commit_to_ack(
    transactions: Transactions, bus: Bus, count: int, rate: float
) -> dict[str, float]:
    """The stream's own time stamp says when it was stored; both clocks are this machine's."""
    relay = Relay(transactions, bus, stream_of("svc_demand"))
    acked: asyncio.Queue[float] = asyncio.Queue()
    publish = bus.publish_batch

    async def noted(*args: object, **kwargs: object) -> object:
        answer = await publish(*args, **kwargs)  # type: ignore[arg-type]
        acked.put_nowait(time.perf_counter())
        return answer

    bus.publish_batch = noted  # type: ignore[method-assign,assignment]
    stop = asyncio.Event()
    task = asyncio.create_task(relay.run(stop))
    took: list[float] = []
    due = time.perf_counter() + 0.5
    for _ in range(count):
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        async with transactions.begin() as work:
            work.publish(TYPE, new_id(), 1, BODY)
        committed = time.perf_counter()
        took.append((await acked.get() - committed) * 1000)
    stop.set()
    relay.wake()
    await task
    bus.publish_batch = publish  # type: ignore[method-assign]
    cuts = statistics.quantiles(took, n=100)
    print(f"commit to stream ack at {rate:g}/s: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms")
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2), "n": count}


async def consume(transactions: Transactions, bus: Bus) -> float:
    seen = 0
    waiting = await bus.pending(SPEC.stream, SPEC.name)

    async def handler(_: UnitOfWork, events: Sequence[Event]) -> None:
        nonlocal seen
        seen += len(events)

    stop = asyncio.Event()
    consumer = Consumer(transactions, bus, PullConsumer(bus, SPEC), handler)
    started, cpu = time.perf_counter(), time.process_time()
    task = asyncio.create_task(consumer.run(stop))
    while await bus.pending(SPEC.stream, SPEC.name):
        await asyncio.sleep(0.02)
    took, burnt = time.perf_counter() - started, time.process_time() - cpu
    stop.set()
    await task
    rate, cost = waiting / took, burnt / waiting * 1e6
    print(f"consume: {rate:,.0f} events/s, {cost:.0f} us CPU an event; {seen:,} were new")
    return rate


async def lost_store(servers: LocalServers, transactions: Transactions, bus: Bus) -> float:
    """The stream is gone and made anew: until all is sent again, and all is known again."""
    spec = stream_of("svc_demand")
    relay = Relay(transactions, bus, spec)
    state = await bus.stream_state(spec.name)
    await relay.note_stream(state.created, state.last_seq)
    js = await bus.jetstream()
    await js.delete_stream(spec.name)
    await provision_streams(servers.nats_admin_url)
    started = time.perf_counter()
    state = await bus.stream_state(spec.name)
    resent = await relay.note_stream(state.created, state.last_seq)
    marked = time.perf_counter() - started
    while await relay.drain_once():
        pass
    took = time.perf_counter() - started
    await relay.close()
    print(f"lost store: {resent:,} events marked in {marked:.1f} s, sent again in {took:.1f} s")
    return took / resent * 100_000


async def measure(events: int, acks: int) -> dict[str, Any]:
    """All of it, on servers that start empty."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_servers(Path(folder), migrations=False, durable=True) as servers:
            transactions = await _transactions(servers)
            bus = Bus(servers.nats_admin_url, "load")
            await bus.start()
            await bus.jetstream()
            found: dict[str, Any] = {
                "drain_per_s": round(await drain(transactions, bus, events)),
                "commit_to_ack": await commit_to_ack(transactions, bus, acks, 100),
                "consume_per_s": round(await consume(transactions, bus)),
                "lost_store_s_per_100k": round(await lost_store(servers, transactions, bus), 1),
            }
            await consume(transactions, bus)
            await bus.close()
            await transactions.database.close()
            return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--acks", type=int, default=1_000)
    given = parser.parse_args()
    asyncio.run(measure(given.events, given.acks))
