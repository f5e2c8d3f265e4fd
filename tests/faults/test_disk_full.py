"""The broker's disk is full: nothing is marked as sent that is not stored, and nothing is lost."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import nats
import pytest
from sqlalchemy import MetaData, func, select

from faults.cluster import Cluster, Server, until
from faults.ledger import Ledger
from ketnoi.provisioning.streams import provision_streams
from shared.contracts.messaging import stream_of
from shared.db import Database
from shared.kernel.ids import new_id
from shared.nats import Bus, PublishError
from shared.outbox import MessagingTables, Relay, Transactions

pytestmark = pytest.mark.timeout(120)

SMALL, LARGE = 6, 64
"""Mebibytes."""
EVENTS, EVENT_BYTES = 300, 32 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or _mount(folder, SMALL):
        pytest.skip("only root may mount here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _mount(folder: Path, mebibytes: int, *options: str) -> int:
    how = ",".join([f"size={mebibytes}m", *options])
    command = ["mount", "-t", "tmpfs", "-o", how, "none", str(folder)]
    return subprocess.run(command, capture_output=True).returncode


@pytest.fixture
async def broker(faulty: Cluster, disk: Path, tmp_path: Path) -> AsyncIterator[Server]:
    """A broker whose store is on the small disk."""
    await faulty.stop()
    program = replace(faulty.nats, store=disk, run=tmp_path)
    await faulty.servers["nats"].stop()
    server = Server(program, tmp_path / "nats.log")
    try:
        await server.start()
        await provision_streams(program.url)
        yield server
    finally:
        await server.stop()
        await faulty.servers["nats"].start()


async def test_a_full_disk_only_delays(faulty: Cluster, broker: Server, disk: Path) -> None:
    ledger = Ledger(faulty)
    await ledger.prepare()
    database = Database(ledger.database_url)
    transactions = Transactions(database, MessagingTables.on(MetaData()), "ketnoi/ledger")
    outbox = transactions.tables.outbox
    bus = Bus(faulty.nats.url, "test")
    await bus.start()
    await bus.jetstream()
    relay = Relay(transactions, bus, stream_of("svc_demand"))
    body = b'{"text": "' + b"x" * EVENT_BYTES + b'"}'

    async def marked() -> int:
        async with transactions.read() as connection:
            chosen = select(func.count()).select_from(outbox)
            return int(await connection.scalar(chosen.where(outbox.c.published_at.is_not(None))))

    async def stored() -> int:
        client = await nats.connect(faulty.nats.url)
        try:
            return (await client.jetstream().stream_info("DEMAND")).state.messages
        finally:
            await client.close()

    try:
        failed = 0
        for _ in range(EVENTS // 10):
            async with transactions.begin() as work:
                for _ in range(10):
                    work.publish("demand.probe.noted.v1", new_id(), 1, body)
        while await marked() < EVENTS and not failed:
            # One at a time until the disk is full: an atomic batch would fail as a whole.
            try:
                await relay.drain_once()
            except PublishError:
                failed += 1
        assert failed
        assert await marked() < EVENTS
        # What the runbook says: make room, then start the broker again.
        assert _mount(disk, LARGE, "remount") == 0
        await broker.stop()
        await broker.start()
        assert await stored() >= await marked()

        async def sent() -> bool:
            try:
                await relay.drain_once()
            except PublishError:
                return False
            return await marked() == EVENTS

        await until(sent, 30)
        assert await stored() == EVENTS
    finally:
        await relay.close()
        await bus.close()
        await database.close()
