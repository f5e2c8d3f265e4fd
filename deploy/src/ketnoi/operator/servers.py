"""Where the servers of a suite are, for the operator's verbs that speak to them directly."""

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from ketnoi.addresses import DATABASE
from ketnoi.credentials import ADMIN, load_credentials
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.home import Home, read_json
from ketnoi.provisioning.provision import explained
from ketnoi.servers.postgres import SUPERUSER
from ketnoi.services import SERVICES, Service

MESSAGING = tuple(service for service in SERVICES if service.messaging)


def admin_url(environment: Environment) -> str:
    """Return the administrator's address of the database the suite runs on."""
    if environment.database_url:
        return environment.database_url
    home, ports = _running(environment, "DATABASE_URL")
    password = load_credentials(home).postgres[ADMIN]
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{ports['postgres']}/{DATABASE}"


def admin_nats_url(environment: Environment) -> str:
    """Return the administrator's address of the broker the suite runs on."""
    if environment.nats_url:
        return environment.nats_url
    home, ports = _running(environment, "NATS_URL")
    return f"nats://{ADMIN}:{load_credentials(home).nats[ADMIN]}@127.0.0.1:{ports['nats']}"


def _running(environment: Environment, instead: str) -> tuple[Home, dict[str, int]]:
    home = Home(environment.home)
    state = read_json(home.state)
    if state is None:
        raise LauncherError(
            f"No suite runs on {environment.home}: start it with `make run`, or set {instead}."
        )
    ports: dict[str, int] = state["ports"]
    return home, ports


@asynccontextmanager
async def administrator(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to the suite's database; what it refuses becomes a message."""
    with explained():
        connection = await asyncpg.connect(url, database=DATABASE, timeout=5)
        try:
            yield connection
        finally:
            await connection.close()


def services_named(name: str | None) -> list[Service]:
    """Return the service with events of that schema, or all of them."""
    chosen = [service for service in MESSAGING if name in (None, service.schema)]
    if not chosen:
        names = ", ".join(service.schema for service in MESSAGING)
        raise UsageError(f"No service '{name}' has events; there are {names}.")
    return chosen


def whoever() -> str:
    """Name the person at the command line, for the record."""
    return f"{getpass.getuser()}@{socket.gethostname()}"
