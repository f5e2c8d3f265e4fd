"""A launcher whose services are stand-ins: the same start, without what the services do.

Run as a file, it reads the environment as `ketnoi run` does. STAND_IN_FAILS names a service that
ends at once.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

from ketnoi import cli
from ketnoi.launcher import run_suite
from ketnoi.services import SERVICES

HERE = Path(__file__).parent


def serve(name: str) -> None:
    """Be a service, with the standard library alone: every path gives pid and environment."""
    if os.environ.get("STAND_IN_FAILS") == name:
        sys.exit("stand-in: told to fail")
    asyncio.run(_listen())


async def _listen() -> None:
    host, port = os.environ["KETNOI_LISTEN_HOST"], int(os.environ["KETNOI_LISTEN_PORT"])
    async with await asyncio.start_server(_answer, host, port) as server:
        sys.stdout.write(json.dumps({"event": "serving", "level": "info", "port": port}) + "\n")
        await server.serve_forever()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    body = json.dumps({"pid": os.getpid(), "environment": dict(os.environ)}).encode()
    writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)
    await writer.drain()
    writer.close()


def main() -> None:
    """Start the suite with stand-ins in place of the five services."""
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    services = tuple(
        replace(service, entry="stand_in:serve", app=service.name, migrated=False)
        for service in SERVICES
    )
    cli.explained(lambda environment: asyncio.run(run_suite(environment, services, preloaded=())))


if __name__ == "__main__":
    main()
