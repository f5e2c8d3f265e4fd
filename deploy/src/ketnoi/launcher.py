"""`ketnoi run`: servers, provisioning, services, in the order in which they can be ready."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ketnoi.addresses import nats_user_url, service_url
from ketnoi.clients import load_clients
from ketnoi.credentials import ADMIN, Credentials, Keys, load_credentials, load_keys
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError
from ketnoi.forkhost import ForkHost
from ketnoi.home import Home, write_json, write_private
from ketnoi.nats import EmbeddedNats
from ketnoi.nats_users import users_block
from ketnoi.output import Output
from ketnoi.ports import free_port, require_free
from ketnoi.postgres import EmbeddedPostgres
from ketnoi.processes import Running, answers
from ketnoi.provision import Plan
from ketnoi.services import GATEWAY, SERVICES, Service
from ketnoi.supervisor import Program, Supervisor

POSTGRES_LADDER = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
"""Fast shutdown, then immediate (recovers at the next start), then none."""


async def run_suite(environment: Environment, services: tuple[Service, ...] = SERVICES) -> None:
    """Run until somebody asks to stop; raise LauncherError when it cannot be started."""
    home = Home(environment.home)
    home.prepare()
    with home.locked():
        output = Output(home.logs, width=max(len(service.name) for service in services))
        supervisor = Supervisor(output)
        with _stop_signals(supervisor) as stopped:
            suite = _Suite(environment, home, services, output, supervisor)
            try:
                await _first_of(suite.start(), stopped)
                await stopped.wait()
                output.say("stopping")
            finally:
                home.state.unlink(missing_ok=True)
                await supervisor.stop()


@contextlib.contextmanager
def _stop_signals(supervisor: Supervisor) -> Iterator[asyncio.Event]:
    """The first signal stops in order, the second in a hurry."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            supervisor.hurry.set()
        stopped.set()

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for name in names:
        loop.add_signal_handler(name, stop)
    try:
        yield stopped
    finally:
        for name in names:
            loop.remove_signal_handler(name)


async def _unless(stopped: asyncio.Event, starting: Coroutine[None, None, None]) -> None:
    """Start, but give up as soon as somebody asks to stop."""
    start, stop = asyncio.create_task(starting), asyncio.create_task(stopped.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not start.done():
        start.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await start
        return
    start.result()


class _Suite:
    """What one start knows: addresses, passwords, and the programs made from them."""

    def __init__(
        self,
        environment: Environment,
        home: Home,
        services: tuple[Service, ...],
        output: Output,
        supervisor: Supervisor,
    ) -> None:
        self._environment = environment
        self._home = home
        self._services = services
        self._output = output
        self._supervisor = supervisor
        if environment.port:
            require_free(environment.host, environment.port)
        self._credentials = load_credentials(home)
        self._keys = load_keys(home)
        self._clients = load_clients(home)
        self._ports = {service.name: free_port() for service in services}
        self._ports[GATEWAY.name] = environment.port or free_port(environment.host)
        self._fork_host = ForkHost(environment.inherited)
        self._postgres = self._embedded_postgres()
        self._nats = self._embedded_nats()
        self._database_url = environment.database_url or self._postgres.url
        self._nats_url = environment.nats_url or self._nats.url

    def _embedded_postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(
            data=self._home.postgres,
            home=self._home.root,
            port=free_port(),
            password=self._credentials.postgres[ADMIN],
            say=self._output.say,
        )

    def _embedded_nats(self) -> EmbeddedNats:
        return EmbeddedNats(
            store=self._home.nats,
            run=self._home.run,
            port=free_port(),
            monitor_port=free_port(),
            services=self._services,
            passwords=self._credentials.nats,
        )

    async def start(self) -> None:
        """Servers and the fork host side by side, then provisioning, then the services."""
        servers = [Program(name="forkhost", launch=self._fork_host.launch,
                           is_ready=self._fork_host.is_ready)]
        if not self._environment.nats_url:
            servers.append(self._nats.program())
        if not self._environment.database_url:
            await self._postgres.prepare()
            servers.append(self._postgres.program())
        await self._supervisor.start(*servers)
        await self._provision()
        await self._supervisor.start(*(self._program(service) for service in self._services))
        self._announce()
