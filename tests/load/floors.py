"""What the parts cost by themselves on this machine, at this hour: nothing of Ketnoi in between.

A target was set beside floors of another machine; the same floors of the same run tell how fast
this one is.
"""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import nats
from fastapi import FastAPI, Response

from ketnoi.local import embedded_servers, free_port
from ketnoi.provisioning.streams import provision_streams
from load.generator import Cpu, closed_loop, flood, milliseconds

app = FastAPI()


@app.get("/{number}")
async def hello(number: str) -> Response:
    return Response(number.encode() * 100, media_type="application/json")


async def web(seconds: float) -> dict[str, float]:
    """One FastAPI route that returns stored bytes, behind uvicorn."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "load.floors:app", f"--port={port}"]
    command += ["--no-access-log", "--log-level=error"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])  # noqa: ASYNC220
    try:
        for _ in range(200):
            try:
                await flood(port, "/x", {}, 0.2, clients=1)
                break
            except OSError:
                await asyncio.sleep(0.05)
        with Cpu(process.pid) as cpu:
            done = await flood(port, "/x", {}, seconds)
        each = cpu.microseconds(done, *cpu.spent)
    finally:
        process.terminate()
        process.wait()
    return {"us": each, "per_s_per_core": round(1e6 / each), "per_s": round(done / seconds)}


async def storage(count: int) -> dict[str, dict[str, float]]:
    """One durable INSERT, and one durable message, at a time."""
    with tempfile.TemporaryDirectory() as folder:
        async with embedded_servers(Path(folder), migrations=False, durable=True) as servers:
            connection = await asyncpg.connect(servers.admin_database_url)
            await connection.execute("CREATE TABLE floor (id bigserial PRIMARY KEY, body text)")
            body = "x" * 1500

            async def insert() -> None:
                await connection.execute("INSERT INTO floor (body) VALUES ($1)", body)

            inserted = milliseconds(await closed_loop(count, insert))
            await connection.close()
            await provision_streams(servers.nats_admin_url)
            client = await nats.connect(servers.nats_admin_url)
            stream = client.jetstream()

            async def publish() -> None:
                await stream.publish("demand.floor", body.encode())

            published = milliseconds(await closed_loop(count, publish))
            await client.close()
    return {"insert": inserted, "publish": published}
