"""`ketnoi run`: servers, provisioning, services, in the order in which they can be ready."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Iterator
from typing import Any

from ketnoi.clients import load_clients
from ketnoi.credentials import ADMIN, load_credentials, load_keys
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.home import Home, write_json, write_private
from ketnoi.ports import free_port, reachable_host, require_free
from ketnoi.provisioning.plan import Plan
from ketnoi.servers.nats import EmbeddedNats
from ketnoi.servers.nats_users import users_block
from ketnoi.servers.postgres import EmbeddedPostgres
from ketnoi.service_environment import ServiceEnvironments
from ketnoi.services import GATEWAY, SERVICES, Service
from ketnoi.supervision.forkhost import ForkHost
from ketnoi.supervision.output import Output
from ketnoi.supervision.preload import COMMON
from ketnoi.supervision.processes import Running, answers, how_it_ended
from ketnoi.supervision.supervisor import Ladder, Program, Supervisor
from shared.kernel.faults import VARIABLE

# Fast shutdown, then immediate (which recovers at the next start), then none at all.
POSTGRES_LADDER: Ladder = ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))
_SERVICE_ATTEMPTS = 3


async def run_suite(
    environment: Environment,
    services: tuple[Service, ...] = SERVICES,
    preloaded: tuple[str, ...] = COMMON,
) -> None:
    """Run until somebody asks to stop; raise LauncherError when it cannot be started."""
    home = Home(environment.home)
    home.prepare()
    with home.locked():
        width = max(len(name) for name in ("provision", *(service.name for service in services)))
        output = Output(home.logs, width)
        supervisor = Supervisor(output)
        with contextlib.closing(output), _stop_signals(supervisor) as stopped:
            try:
                host = ForkHost(environment.inherited, preloaded)
                suite = _Suite(environment, home, services, host, output, supervisor)
                await _unless(stopped, suite.start())
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


async def _unless(stopped: asyncio.Event, starting: Coroutine[Any, Any, None]) -> None:
    """Start, but give up as soon as somebody asks to stop."""
    start, stop = asyncio.create_task(starting), asyncio.create_task(stopped.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if start.done():
        start.result()
        return
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await start


class _Suite:
    """One start: what it was told, what it found in the home, and which ports it picked."""

    def __init__(
        self,
        environment: Environment,
        home: Home,
        services: tuple[Service, ...],
        host: ForkHost,
        output: Output,
        supervisor: Supervisor,
    ) -> None:
        if environment.port:
            require_free(environment.host, environment.port)
        self._environment = environment
        self._home = home
        self._services = services
        self._output = output
        self._supervisor = supervisor
        self._credentials = load_credentials(home)
        self._ports = {service.name: free_port() for service in services}
        self._ports[GATEWAY.name] = environment.port or free_port(environment.host)
        self._forkhost = host
        self._postgres = EmbeddedPostgres(
            data=home.postgres,
            home=home.root,
            port=free_port(),
            password=self._credentials.postgres[ADMIN],
            say=output.say,
        )
        self._nats = EmbeddedNats(
            store=home.nats,
            run=home.run,
            port=free_port(),
            monitor_port=free_port(),
            services=services,
            passwords=self._credentials.nats,
        )
        self._environments = ServiceEnvironments(
            environment=environment,
            credentials=self._credentials,
            keys=load_keys(home),
            ports=self._ports,
            database_url=environment.database_url or self._postgres.url,
            nats_url=environment.nats_url or self._nats.url,
            nats_monitor_url="" if environment.nats_url else self._nats.monitor_url,
        )

    async def start(self) -> None:
        """Servers and the fork host side by side, then provisioning, then the services."""
        await self._supervisor.start(*self._servers())
        await self._provision()
        await self._supervisor.start(*(self._program(service) for service in self._services))
        self._write_state()
        self._supervisor.on_return = self._returned
        self._output.show(f"ready {self._url} (docs: /docs)")

    def _returned(self, name: str) -> None:
        self._write_state()
        if name == "nats":
            self._provisioning = asyncio.create_task(self._provision_again())

    async def _provision_again(self) -> None:
        """Make the streams anew in case the broker has come back without its store."""
        try:
            await self._provision("messaging_job")
        except (LauncherError, OSError) as error:
            self._output.say(f"streams: {error} `ketnoi provision` makes what is missing")

    def _servers(self) -> list[Program]:
        host, postgres, nats = self._forkhost, self._postgres, self._nats
        programs = [Program(name="forkhost", launch=host.launch, is_ready=host.is_ready)]
        if not self._environment.nats_url:
            programs.append(
                Program(
                    name="nats", launch=nats.launch, is_ready=nats.is_ready, explain=nats.explain
                )
            )
        if not self._environment.database_url:
            programs.append(
                Program(
                    name="postgres",
                    launch=postgres.launch,
                    is_ready=postgres.is_ready,
                    explain=postgres.explain,
                    ladder=POSTGRES_LADDER,
                    ready_seconds=600,  # a crash recovery may take its time
                )
            )
        return programs

    async def _provision(self, job: str = "job") -> None:
        """Run as a forked child, so that what it imports does not stay in memory."""
        users_file = self._home.run / "nats-users.conf"
        if self._environment.nats_url:
            write_private(users_file, users_block(self._services, self._credentials.nats))
        plan = Plan(
            database_url=self._environments.database_url,
            nats_url=self._environments.nats_url,
            passwords=self._credentials.postgres,
            nats_passwords=self._credentials.nats,
            services=self._services,
            clients=load_clients(self._home),
            own_database=not self._environment.database_url,
            own_nats=not self._environment.nats_url,
            nats_users_file=str(users_file),
        )
        name = "provision"
        write, ended = await self._output.pipe(name)
        try:
            running = await self._forkhost.fork(
                name,
                f"ketnoi.provisioning.provision:{job}",
                [plan.as_json()],
                self._environment.inherited,
                write,
            )
        finally:
            os.close(write)
        code = await running.wait()
        await ended.wait()
        if code in (LauncherError.exit_code, UsageError.exit_code):
            kind = UsageError if code == UsageError.exit_code else LauncherError
            raise kind(self._output.tail(name))
        if code:
            raise LauncherError(
                f"Provisioning {how_it_ended(code)}. The whole story is in"
                f" {self._home.logs / name}.log; it ends with:"
                f" {self._output.tail(name).rpartition(chr(10))[2]}"
            )

    def _program(self, service: Service) -> Program:
        port = self._ports[service.name]
        host = "127.0.0.1"
        if service.name == GATEWAY.name:
            host = reachable_host(self._environment.host)
        crash = self._crash_of(service)

        async def launch(output: int) -> Running:
            variables = self._environments.of(service) | crash
            crash.clear()
            return await self._forkhost.fork(
                service.name, service.entry, [service.app], variables, output
            )

        async def is_ready() -> bool:
            return await answers(port, "/readyz", host)

        return Program(
            name=service.name, launch=launch, is_ready=is_ready, attempts=_SERVICE_ATTEMPTS
        )

    def _crash_of(self, service: Service) -> dict[str, str]:
        """Return what a test wants of the service's first start; later starts are healthy."""
        wanted = self._environment.crash_at
        return {VARIABLE: wanted[1]} if wanted and wanted[0] == service.name else {}

    @property
    def _url(self) -> str:
        host = self._environment.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._ports[GATEWAY.name]}"

    def _write_state(self) -> None:
        write_json(
            self._home.state,
            {
                "pid": os.getpid(),
                "url": self._url,
                "processes": self._supervisor.pids(),
                "ports": self._ports
                | {
                    "postgres": self._postgres.port,
                    "nats": self._nats.port,
                    "nats-monitor": self._nats.monitor_port,
                },
            },
        )
