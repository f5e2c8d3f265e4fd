"""An import goes on where a killed process left it: a real process, and `kill -9`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from ketnoi.local import LocalServers, embedded_servers
from ketnoi.ports import free_port

ROWS = 6_000
SERVE = "from shared.http.serve import serve; serve('svc_supply.main:create_app')"


@contextmanager
def running(servers: LocalServers, jwks_path: Path, port: int) -> Iterator[int]:
    """Serve svc-supply in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if "KETNOI" not in name} | {
        "KETNOI_DATABASE_URL": servers.database_url("svc-supply"),
        "KETNOI_NATS_URL": servers.nats_url("svc-supply"),
        "KETNOI_JWKS_PATH": str(jwks_path),
        "KETNOI_CURSOR_KEY": "cursor-key-of-the-tests",
        "KETNOI_LISTEN_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-c", SERVE], env=environment)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(40):
        while True:
            try:
                if (value := await found()) is not None:
                    return value
            except httpx.TransportError:
                pass  # it is starting
            await asyncio.sleep(0.005)


async def test_an_import_survives_kill_9_and_goes_on(
    tmp_path: Path, jwks_path: Path, authorization: Any
) -> None:
    row = {"title": "t", "description": "m", "language": "vi", "kind": "SERVICE"}
    row |= {"status": "PUBLISHED"}
    content = "\n".join(
        json.dumps(row | {"source": {"system": "k", "ref": f"{number}"}}) for number in range(ROWS)
    )
    port = free_port()
    async with (
        embedded_servers(tmp_path) as servers,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=authorization("operator", "most")
        ) as client,
    ):
        with running(servers, jwks_path, port) as pid:

            async def sent() -> str:
                files = {"file": ("rows.jsonl", content)}
                answer = await client.post("/v1/imports", data={"kind": "SUPPLIES"}, files=files)
                assert answer.status_code == 202, answer.text
                return answer.headers["Location"]

            path = await until(sent)

            async def begun() -> dict[str, Any] | None:
                job: dict[str, Any] = (await client.get(path)).json()
                return job if job["done"] > 0 else None

            await until(begun)
            os.kill(pid, signal.SIGKILL)
        database = await asyncpg.connect(servers.database_url("svc-supply").replace("+asyncpg", ""))
        left = await database.fetchrow("SELECT state, done FROM import_job")
        assert left is not None
        assert left["state"] == "RUNNING"
        assert 0 < left["done"] < ROWS
        assert await database.fetchval("SELECT count(*) FROM supply") == left["done"]
        with running(servers, jwks_path, port):

            async def finished() -> dict[str, Any] | None:
                job: dict[str, Any] = (await client.get(path)).json()
                return job if job["state"] == "DONE" else None

            job = await until(finished)
        assert [job[name] for name in ("total", "done", "created", "rejected")] == [
            ROWS, ROWS, ROWS, 0,
        ]  # fmt: skip
        for query in (
            "SELECT count(DISTINCT source_ref) FROM supply WHERE version = 1",
            "SELECT count(*) FROM outbox WHERE type = 'supply.offer.published.v1'",
            "SELECT count(DISTINCT aggregate_id) FROM outbox",
            "SELECT count(*) FROM transition WHERE step = 3 AND to_status = 'PUBLISHED'",
        ):
            assert await database.fetchval(query) == ROWS, query
        await database.close()
