"""Postgres and NATS of one's own in a temporary folder, for tests and tools."""

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ketnoi.addresses import nats_user_url, service_url
from ketnoi.credentials import ADMIN
from ketnoi.errors import LauncherError
from ketnoi.ports import free_port
from ketnoi.provisioning.provision import explained, migrate
from ketnoi.provisioning.roles import provision_roles
from ketnoi.provisioning.streams import provision_streams
from ketnoi.servers.nats import EmbeddedNats
from ketnoi.servers.postgres import EmbeddedPostgres
from ketnoi.services import SERVICES, Service
from ketnoi.supervision.processes import Running, send


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServers:
    """Addresses of two running servers; a service is named as in the launcher (`svc-demand`)."""

    admin_database_url: str
    nats_admin_url: str
    nats_monitor_url: str
    postgres_pid: int
    nats_pid: int
    passwords: dict[str, str]

    def database_url(self, service: str) -> str:
        """Return the service's own login, as SQLAlchemy with asyncpg reads it."""
        return service_url(self.admin_database_url, _named(service), self.passwords)

    def nats_url(self, service: str) -> str:
        """Return the service's own user."""
        return nats_user_url(self.nats_admin_url, _named(service), self.passwords)


def _named(name: str) -> Service:
    return next(service for service in SERVICES if name in (service.name, service.package))


@asynccontextmanager
async def embedded_servers(
    directory: Path, *, migrations: bool = True, streams: bool = True, durable: bool = False
) -> AsyncIterator[LocalServers]:
    """Start both, provisioned; end them by their own pid.

    Their output goes to files in `directory`, so the event loop need not run all the time.
    Enter from the main thread: the kernel ends them when the thread that started them ends.
    `durable` turns on what makes writes survive a power cut; tests do without.
    """
    names = (ADMIN, *(service.role for service in SERVICES))
    passwords = {name: secrets.token_urlsafe(12) for name in names}
    os.makedirs(directory / "nats", exist_ok=True)  # noqa: PTH103 (fine in a coroutine)
    postgres = EmbeddedPostgres(
        data=directory / "postgres",
        home=directory,
        port=free_port(),
        password=passwords[ADMIN],
        say=lambda _: None,
        durable=durable,
    )
    nats = EmbeddedNats(
        store=directory / "nats",
        run=directory,
        port=free_port(),
        monitor_port=free_port(),
        services=SERVICES,
        passwords=passwords,
        durable=durable,
    )
    async with contextlib.AsyncExitStack() as stack:
        nats_start = asyncio.create_task(_ready(nats, directory / "nats.log"))
        stack.push_async_callback(_stop, nats_start, signal.SIGTERM)
        postgres_start = asyncio.create_task(_ready(postgres, directory / "postgres.log"))
        stack.push_async_callback(_stop, postgres_start, signal.SIGINT)
        nats_process, postgres_process = await asyncio.gather(nats_start, postgres_start)
        await asyncio.gather(
            _provision_postgres(postgres.url, passwords, migrations=migrations),
            provision_streams(nats.url) if streams else asyncio.sleep(0),
        )
        yield LocalServers(
            admin_database_url=postgres.url,
            nats_admin_url=nats.url,
            nats_monitor_url=f"http://127.0.0.1:{nats.monitor_port}",
            postgres_pid=postgres_process.pid,
            nats_pid=nats_process.pid,
            passwords=passwords,
        )


async def _ready(server: EmbeddedPostgres | EmbeddedNats, log: Path) -> Running:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = await server.launch(descriptor)
    finally:
        os.close(descriptor)
    ended = asyncio.create_task(process.wait())
    try:
        while not await server.is_ready():
            if ended.done():
                raise LauncherError(server.explain(ended.result(), _text(log)))
            await asyncio.sleep(0.01)
    except BaseException:
        send(process.pid, signal.SIGKILL)
        raise
    finally:
        ended.cancel()
    return process


async def _stop(start: asyncio.Task[Running], what: signal.Signals) -> None:
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError, LauncherError, OSError):
        process = await start
        send(process.pid, what)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            send(process.pid, signal.SIGKILL)
            await process.wait()


async def _provision_postgres(url: str, passwords: dict[str, str], *, migrations: bool) -> None:
    with explained():
        await provision_roles(url, SERVICES, passwords, own_server=True)
        if migrations:
            await migrate(url, SERVICES)


def _text(log: Path) -> str:
    return log.read_text(errors="replace")
