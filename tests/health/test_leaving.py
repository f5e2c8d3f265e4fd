"""A service that is told to stop: what it has accepted it finishes; told twice, it goes at once."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ketnoi.addresses import DATABASE
from ketnoi.environment import without_ours
from ketnoi.local import LocalServers
from ketnoi.ports import free_port

RUN = "from shared.http.serve import serve; serve('svc_demand.main:create_app')"
CLIENTS = 8


class Service:
    """svc-demand in a process of its own."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    async def exchange(
        self, request: bytes, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> tuple[int, bool, bytes]:
        """Send one request; return its status, whether the connection ends, and the body."""
        reader, writer = streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        body = await reader.readexactly(length)
        return int(head.split()[1]), "connection: close" in head, body


@asynccontextmanager
async def running(servers: LocalServers, jwks_path: Path) -> AsyncIterator[Service]:
    port = free_port()
    environment = without_ours(os.environ) | {
        "KETNOI_LISTEN_PORT": str(port),
        "KETNOI_DATABASE_URL": servers.database_url("svc-demand"),
        "KETNOI_NATS_URL": servers.nats_url("svc-demand"),
        "KETNOI_JWKS_PATH": str(jwks_path),
        "KETNOI_CURSOR_KEY": "key",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", RUN, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    service = Service(process, port)
    try:
        async with asyncio.timeout(30):
            while not await _answers(service):
                await asyncio.sleep(0.05)
        yield service
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(service: Service) -> bool:
    try:
        streams = await asyncio.open_connection("127.0.0.1", service.port)
        status, _, _ = await service.exchange(_get("/readyz"), streams)
        streams[1].close()
    except (OSError, asyncio.IncompleteReadError):
        return False
    return status == 200


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def _put(ref: str, authorization: dict[str, str]) -> bytes:
    body = json.dumps({"title": f"Máy sấy {ref}"}).encode()
    head = (
        f"PUT /v1/demands/by-ref/leaving/{ref} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: {authorization['Authorization']}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def locked(servers: LocalServers) -> AsyncIterator[asyncpg.Connection]:
    """Hold writes to demands back."""
    connection = await asyncpg.connect(servers.admin_database_url, database=DATABASE)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE demand.demand IN EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


Authorize = Callable[..., dict[str, str]]


@pytest.mark.timeout(90)
async def test_no_request_in_flight_is_lost_when_a_service_is_told_to_stop(
    servers: LocalServers, jwks_path: Path, authorization: Authorize, unique: str
) -> None:
    caller = authorization("operator")
    acknowledged: list[str] = []
    lost: list[str] = []

    async def client(service: Service, name: str) -> None:
        """Write without a pause on one connection after the other, until nobody listens."""
        number = 0
        while True:
            try:
                streams = await asyncio.open_connection("127.0.0.1", service.port)
            except OSError:
                return
            ends = False
            while not ends:
                number += 1
                ref = f"{unique}-{name}-{number}"
                try:
                    status, ends, _ = await service.exchange(_put(ref, caller), streams)
                except (OSError, asyncio.IncompleteReadError):
                    lost.append(ref)
                    return
                assert status == 201
                acknowledged.append(ref)
            streams[1].close()

    async def held_back(service: Service, name: str) -> int:
        streams = await asyncio.open_connection("127.0.0.1", service.port)
        request = _put(f"{unique}-held-{name}", caller)
        status, _, _ = await service.exchange(request, streams)
        streams[1].close()
        return status

    async with running(servers, jwks_path) as service:
        tasks = [asyncio.create_task(client(service, str(n))) for n in range(CLIENTS)]
        while len(acknowledged) < 5 * CLIENTS:
            await asyncio.sleep(0.01)
        async with locked(servers) as lock:
            slow = [asyncio.create_task(held_back(service, str(n))) for n in range(2)]
            await _waiting_for_a_lock(servers, at_least=3)
            service.process.send_signal(signal.SIGTERM)
            await _not_listening(service)
            await lock.execute("SELECT pg_sleep(0.5)")  # the writes take longer than the closing
            assert not any(task.done() for task in slow)
        assert await asyncio.gather(*slow) == [201, 201]
        await asyncio.gather(*tasks)
        assert await asyncio.wait_for(service.process.wait(), 25) == 0
    assert lost == []
    stored = await _stored(servers, unique)
    assert stored >= set(acknowledged)
    assert len(stored) == len(acknowledged) + 2


async def test_told_twice_it_waits_for_nobody(
    servers: LocalServers, jwks_path: Path, authorization: Authorize, unique: str
) -> None:
    async with running(servers, jwks_path) as service, locked(servers):
        streams = await asyncio.open_connection("127.0.0.1", service.port)
        streams[1].write(_put(f"{unique}-never", authorization("operator")))
        await _waiting_for_a_lock(servers, at_least=1)
        service.process.send_signal(signal.SIGTERM)
        await _not_listening(service)
        assert service.process.returncode is None, "told once, it would wait for the request"
        service.process.send_signal(signal.SIGTERM)
        # Well before the ten seconds that a request is given.
        await asyncio.wait_for(service.process.wait(), 5)
        streams[1].close()
    assert await _stored(servers, unique) == set()


async def _waiting_for_a_lock(servers: LocalServers, at_least: int) -> None:
    connection = await asyncpg.connect(servers.admin_database_url, database=DATABASE)
    try:
        async with asyncio.timeout(20):
            while await _count_waiting(connection) < at_least:
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def _count_waiting(connection: Any) -> int:
    return await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE usename = 'svc_demand' AND wait_event_type = 'Lock'"
    )


async def _not_listening(service: Service) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def _stored(servers: LocalServers, unique: str) -> set[str]:
    connection = await asyncpg.connect(servers.admin_database_url, database=DATABASE)
    try:
        rows = await connection.fetch(
            "SELECT source_ref FROM demand.demand WHERE source_ref LIKE $1", f"{unique}-%"
        )
    finally:
        await connection.close()
    return {row["source_ref"] for row in rows}
