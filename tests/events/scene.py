"""What the tests of events share: small effects, a look into one schema, a broker to ruin."""

import asyncio
import os
import secrets
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sqlalchemy import func, select, text

from ketnoi.credentials import ADMIN
from ketnoi.ports import free_port
from ketnoi.provisioning.streams import provision_streams
from ketnoi.servers.nats import EmbeddedNats
from ketnoi.services import SERVICES
from ketnoi.supervision.processes import Running
from shared.contracts.events import Event
from shared.contracts.messaging import consumers_of, stream_of
from shared.kernel.ids import new_id
from shared.outbox import Consumer, Transactions, UnitOfWork
from shared.outbox.relay import event_of

TYPE = "demand.request.published.v1"
STREAM = stream_of("svc_demand")
SPEC = next(spec for spec in consumers_of("svc_matching") if spec.stream == "DEMAND")


class Body(BaseModel):
    text: str = "Sấy chè"


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 30) -> None:
    """Wait for something that is about to happen; the limit only ends a broken run."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


class Tables:
    """What a test asks of its own schema."""

    def __init__(self, transactions: Transactions) -> None:
        self.transactions = transactions

    async def publish(self, count: int) -> list[Event]:
        ids = [new_id() for _ in range(count)]
        async with self.transactions.begin() as work:
            for aggregate_id in ids:
                work.publish(TYPE, aggregate_id, 1, Body())
        outbox = self.transactions.tables.outbox
        query = select(outbox).where(outbox.c.aggregate_id.in_(ids)).order_by(outbox.c.seq)
        async with self.transactions.read() as connection:
            return [event_of(row._mapping) for row in await connection.execute(query)]

    async def unpublished(self) -> int:
        outbox = self.transactions.tables.outbox
        async with self.transactions.read() as connection:
            counted = select(func.count()).select_from(outbox)
            return int(await connection.scalar(counted.where(outbox.c.published_at.is_(None))) or 0)

    async def effects(self) -> list[str]:
        async with self.transactions.read() as connection:
            found = await connection.execute(text("SELECT event_id FROM effect"))
            return [str(row.event_id) for row in found]

    async def letters(self) -> Sequence[Any]:
        table = self.transactions.tables.dead_letter
        async with self.transactions.read() as connection:
            return (await connection.execute(select(table).order_by(table.c.number))).all()

    async def states(self) -> list[str]:
        return [letter.state for letter in await self.letters()]


async def record(work: UnitOfWork, events: Sequence[Event]) -> None:
    """The plainest effect: a row an event."""
    await work.connection.execute(
        text("INSERT INTO effect VALUES (:id, :data)"),
        [{"id": event.id, "data": event.data.decode()} for event in events],
    )


class Reading:
    """A consumer at work, until the test is over."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await asyncio.gather(self.consumer.run(self.stop), self.consumer.retry(self.stop))

    async def end(self) -> None:
        self.stop.set()
        await self._task


Read = Callable[..., Reading]


class Broker:
    """A nats-server of the test's own, to be killed, emptied and set back."""

    def __init__(self, directory: Path) -> None:
        names = (ADMIN, *(service.role for service in SERVICES))
        self._directory = directory
        self._store = directory / "nats"
        self._copy = directory / "copy"
        self._store.mkdir()
        self._server = EmbeddedNats(
            store=self._store,
            run=directory,
            port=free_port(),
            monitor_port=free_port(),
            services=SERVICES,
            passwords={name: secrets.token_urlsafe(12) for name in names},
            durable=True,
        )
        self._running: Running | None = None

    @property
    def url(self) -> str:
        return self._server.url

    def url_for(self, user: str) -> str:
        return self._server.url_for(user)

    async def start(self) -> None:
        descriptor = os.open(self._directory / "nats.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            self._running = await self._server.launch(descriptor)
        finally:
            os.close(descriptor)
        while not await self._server.is_ready():
            await asyncio.sleep(0.02)

    async def provision(self) -> None:
        await provision_streams(self.url)

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._running is not None:
            os.kill(self._running.pid, how)
            await self._running.wait()
            self._running = None

    async def remember(self) -> None:
        """Keep a copy of the store as it is now."""
        await self.kill(signal.SIGTERM)
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._store, self._copy)
        await self.start()

    async def set_back(self) -> None:
        """Start with the store as it was when it was remembered."""
        await self.kill()
        shutil.rmtree(self._store)
        shutil.copytree(self._copy, self._store)
        await self.start()

    async def lose_everything(self) -> None:
        await self.kill()
        shutil.rmtree(self._store)
        self._store.mkdir()
        await self.start()
