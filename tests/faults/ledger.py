"""A reader whose effect may not be repeated: each event adds a line, and no key forbids a second.

The services' own effects are upserts that forgive a repeat; this one shows whether the inbox,
the order of commit and acknowledgement, and the event's id do their work. The file is run in a
child process; `Ledger` is the test's side.
"""

import asyncio
import os
import selectors
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from sqlalchemy import Connection, MetaData, text

from shared.contracts.events import Event
from shared.contracts.messaging import ConsumerSpec
from shared.db import Database
from shared.nats import Bus, PullConsumer
from shared.outbox import Consumer, MessagingTables, Transactions, UnitOfWork
from shared.outbox.migration import create_messaging_tables
from shared.telemetry import configure_logging

if TYPE_CHECKING:
    from faults.cluster import Cluster

ACK_WAIT_SECONDS = 1
SPEC = ConsumerSpec(
    "ledger", "DEMAND", "ledger", "demand.request.>", ack_wait_seconds=ACK_WAIT_SECONDS
)
PASSWORD = "ledger"


POISON = b"poison"
"""A text that the ledger cannot digest."""
_NOTE = text("INSERT INTO entry (event_id, pid) VALUES (:event, :pid)")


async def _note(work: UnitOfWork, events: Sequence[Event]) -> None:
    for event in events:
        if POISON in event.data:
            raise ValueError("cannot digest this")
        await work.connection.execute(_NOTE, {"event": event.id, "pid": os.getpid()})


async def _run() -> None:
    loop = asyncio.get_running_loop()
    began, at = datetime.now(UTC), loop.time()
    database = Database(os.environ["LEDGER_DATABASE_URL"], name="ledger")
    transactions = Transactions(
        database,
        MessagingTables.on(MetaData()),
        "ketnoi/ledger",
        clock=lambda: began + timedelta(seconds=loop.time() - at),
    )
    bus = Bus(os.environ["LEDGER_NATS_URL"], "ledger")
    await bus.start()
    consumer = Consumer(transactions, bus, PullConsumer(bus, SPEC), _note)
    stop = asyncio.Event()
    await asyncio.gather(consumer.run(stop), consumer.retry(stop))


class _Selector(selectors.DefaultSelector):
    speed = 1.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout and timeout / self.speed)


class _Loop(asyncio.SelectorEventLoop):
    """Its seconds pass faster than the world's; SIGUSR1 ends that."""

    def __init__(self, speed: float) -> None:
        self._speed, self._at = 1.0, (time.monotonic(), time.monotonic())
        self._own = _Selector()
        super().__init__(self._own)
        self.hasten(speed)

    def hasten(self, speed: float) -> None:
        self._at = (time.monotonic(), self.time())
        self._speed = self._own.speed = speed

    def time(self) -> float:
        real, own = self._at
        return own + (time.monotonic() - real) * self._speed

    def shortened(self, seconds: float) -> float:
        return seconds / self._speed


def main() -> None:
    """Read until killed; LEDGER_SPEED injects a clock that is so much faster."""
    configure_logging("ledger", "INFO")
    loop = _Loop(float(os.environ.get("LEDGER_SPEED", "1")))
    loop.add_signal_handler(signal.SIGUSR1, loop.hasten, 1.0)
    nak = Msg.nak

    async def nak_sooner(self: Msg, delay: float | None = None) -> None:
        await nak(self, delay=delay and loop.shortened(delay))

    Msg.nak = nak_sooner  # type: ignore[method-assign]  # the broker's clock is the world's
    loop.run_until_complete(_run())


class Ledger:
    """Starts readers, as many as a test wants; they share one durable consumer."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster

    @property
    def database_url(self) -> str:
        """The ledger's own login."""
        place = self._cluster.database_url.rpartition("@")[2]
        return f"postgresql+asyncpg://ledger:{PASSWORD}@{place}"

    async def prepare(self) -> None:
        """Make schema and consumer, or empty them."""
        database = Database(self._cluster.database_url.replace("postgresql", "postgresql+asyncpg"))
        async with database.begin() as connection:
            await connection.run_sync(_create)
        await database.close()
        client = Client()
        await client.connect(self._cluster.nats.url)
        config = ConsumerConfig(
            durable_name=SPEC.name,
            filter_subject=SPEC.filter_subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=SPEC.ack_wait_seconds,
            max_ack_pending=SPEC.max_ack_pending,
            max_deliver=-1,
        )
        await client.jetstream().add_consumer(SPEC.stream, config)
        await client.close()

    async def start(
        self,
        name: str = "ledger",
        *,
        sabotage: Sequence[str] = (),
        crash_at: str = "",
        speed: float = 1,
    ) -> None:
        """Start one reader."""
        cluster = self._cluster
        variables = {
            "PATH": os.environ["PATH"],
            "LEDGER_DATABASE_URL": cluster.through(self.database_url, "ledger", "postgres"),
            "LEDGER_NATS_URL": cluster.through(cluster.nats.url, "ledger", "nats"),
            "LEDGER_SPEED": str(speed),
        }
        if crash_at:
            variables["KETNOI_CRASH_AT"] = crash_at
        await cluster.fork(name, __file__, [], variables, sabotage)


def _create(connection: Connection) -> None:
    connection.execute(text("DROP SCHEMA IF EXISTS ledger CASCADE"))
    if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = 'ledger'")):
        connection.execute(text(f"CREATE ROLE ledger LOGIN PASSWORD '{PASSWORD}'"))
        connection.execute(text("ALTER ROLE ledger SET search_path TO ledger"))
        connection.execute(text("GRANT CONNECT ON DATABASE ketnoi TO ledger"))
    connection.execute(text("CREATE SCHEMA ledger"))
    connection.execute(text("SET LOCAL search_path TO ledger"))
    with Operations.context(MigrationContext.configure(connection)):
        create_messaging_tables()
    connection.execute(
        text("CREATE TABLE entry (event_id uuid, pid integer, at timestamptz DEFAULT now())")
    )
    connection.execute(text("GRANT USAGE ON SCHEMA ledger TO ledger"))
    connection.execute(text("GRANT ALL ON ALL TABLES IN SCHEMA ledger TO ledger"))
