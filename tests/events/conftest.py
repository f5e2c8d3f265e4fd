"""Messaging tables in a schema of each test's own, and a broker that a test may ruin."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from events.scene import SPEC, STREAM, Broker, Read, Reading, Tables
from ketnoi.addresses import async_url
from ketnoi.local import LocalServers, embedded_servers
from shared.contracts.messaging import ConsumerSpec
from shared.db import Database
from shared.nats import Bus, PullConsumer
from shared.outbox import Consumer, Handler, MessagingTables, Relay, Transactions
from shared.outbox.migration import create_messaging_tables


@pytest.fixture(scope="session")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServers]:
    async with embedded_servers(tmp_path_factory.mktemp("events"), migrations=False) as running:
        yield running


def _create(connection: Connection, schema: str) -> None:
    connection.execute(text(f"CREATE SCHEMA {schema}"))
    connection.execute(text(f"SET search_path TO {schema}"))
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


@pytest.fixture
async def relay(transactions: Transactions, bus: Bus) -> AsyncIterator[Relay]:
    relay = Relay(transactions, bus, STREAM)
    yield relay
    await relay.close()


@pytest.fixture
def tables(transactions: Transactions) -> Tables:
    return Tables(transactions)


@pytest.fixture
async def read(transactions: Transactions, bus: Bus) -> AsyncIterator[Read]:
    """Start a consumer: `read(handler)`."""
    started: list[Reading] = []

    def start(handler: Handler, spec: ConsumerSpec = SPEC, *, on: Bus | None = None) -> Reading:
        reading = Reading(Consumer(transactions, on or bus, PullConsumer(on or bus, spec), handler))
        started.append(reading)
        return reading

    yield start
    for reading in started:
        await reading.end()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await broker.start()
    await broker.provision()
    yield broker
    await broker.kill()
