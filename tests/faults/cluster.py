"""Both servers and the five services in processes of their own, with a proxy on every link.

Unlike the launcher it restarts nothing by itself: a test says who dies, who comes back, and with
which sabotage. The programs, the configuration and the environment are the launcher's.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats

from faults.proxy import Proxy
from ketnoi.addresses import DATABASE
from ketnoi.clients import load_clients
from ketnoi.credentials import ADMIN, load_credentials, load_keys
from ketnoi.environment import Environment
from ketnoi.home import Home
from ketnoi.ports import free_port
from ketnoi.provisioning.plan import Plan
from ketnoi.provisioning.provision import provision_database
from ketnoi.provisioning.streams import provision_streams
from ketnoi.servers.nats import EmbeddedNats
from ketnoi.servers.postgres import EmbeddedPostgres
from ketnoi.service_environment import ServiceEnvironments
from ketnoi.services import GATEWAY, SERVICES
from ketnoi.supervision.forkhost import ForkHost
from ketnoi.supervision.preload import COMMON
from ketnoi.supervision.processes import Running, answers, send
from shared.contracts.messaging import CONSUMERS, STREAMS
from shared.kernel.faults import VARIABLE

HERE = Path(__file__).parent
CHILD = HERE / "child.py"
NAMES = tuple(service.name for service in SERVICES)
READY_SECONDS = 40.0
ACK_WAIT_SECONDS = 2
"""After this the broker hands out again what a killed reader had in hand."""
_PRELOADED = (*COMMON, *(f"{s.package}.main" for s in SERVICES))
_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Server:
    """Postgres or NATS: killed, paused and started again on the same port and data."""

    def __init__(self, program: EmbeddedPostgres | EmbeddedNats, log: Path) -> None:
        self.program = program
        self._log = log
        self._running: asyncio.subprocess.Process | Running | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    async def start(self) -> None:
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._running = await self.program.launch(descriptor)
        finally:
            os.close(descriptor)
        await until(self.program.is_ready)

    async def stop(self, what: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait; `kill -9` unless told otherwise."""
        if self._running is not None:
            send(self._running.pid, what)
            await asyncio.wait_for(self._running.wait(), 20)
            self._running = None


@contextmanager
def _impatient() -> Iterator[None]:
    """Let every consumer have a short `ack_wait` while this test provisions."""
    before = {spec.name: spec.ack_wait_seconds for spec in CONSUMERS}
    try:
        for spec in CONSUMERS:
            object.__setattr__(spec, "ack_wait_seconds", ACK_WAIT_SECONDS)
        yield
    finally:
        for spec in CONSUMERS:
            object.__setattr__(spec, "ack_wait_seconds", before[spec.name])


@dataclass(slots=True)
class _Process:
    running: Running
    log: Path


class Cluster:
    """`links[a, b]` is the proxy between two parts; `client` is the one in front of the gateway."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.prepare()
        self.credentials = load_credentials(self.home)
        self.ports = {name: free_port() for name in NAMES}
        self.postgres = EmbeddedPostgres(
            data=self.home.postgres,
            home=self.home.root,
            port=free_port(),
            password=self.credentials.postgres[ADMIN],
            say=lambda _: None,
        )
        self.nats = EmbeddedNats(
            store=self.home.nats,
            run=self.home.run,
            port=free_port(),
            monitor_port=free_port(),
            services=SERVICES,
            passwords=self.credentials.nats,
        )
        self.servers = {
            "postgres": Server(self.postgres, self.home.logs / "postgres.log"),
            "nats": Server(self.nats, self.home.logs / "nats.log"),
        }
        self.links: dict[tuple[str, str], Proxy] = {}
        self._environment = Environment.read({"KETNOI_HOME": str(self.home.root)}, folder)
        self._forkhost = ForkHost({**os.environ, **_THREADS}, _PRELOADED)
        self._host: Running | None = None
        self._processes: dict[str, _Process] = {}

    # --- the parts ---------------------------------------------------------------------------

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Cluster"]:
        """Start the servers and the links; services come with `start`."""
        async with AsyncExitStack() as stack:
            for name, what in (("nats", signal.SIGTERM), ("postgres", signal.SIGINT)):
                stack.push_async_callback(self.servers[name].stop, what)
            stack.push_async_callback(self._end_host)
            stack.push_async_callback(self.stop)
            await asyncio.gather(
                *(server.start() for server in self.servers.values()), self._start_host()
            )
            await asyncio.gather(
                self._provision_streams(),
                provision_database(
                    Plan(
                        database_url=self.postgres.url,
                        nats_url=self.nats.url,
                        passwords=self.credentials.postgres,
                        nats_passwords=self.credentials.nats,
                        services=SERVICES,
                        clients=load_clients(self.home),
                        own_database=True,
                        own_nats=True,
                    )
                ),
            )
            await self._link(stack)
            yield self

    async def _start_host(self) -> None:
        log = os.open(self.home.logs / "forkhost.log", os.O_WRONLY | os.O_CREAT, 0o600)
        self._host = await self._forkhost.launch(log)
        os.close(log)
        await until(self._forkhost.is_ready)

    async def _end_host(self) -> None:
        if self._host is not None:
            send(self._host.pid, signal.SIGKILL)
            await self._host.wait()

    async def _link(self, stack: AsyncExitStack) -> None:
        wanted = {("client", GATEWAY.name): self.ports[GATEWAY.name]}
        for service in SERVICES:
            wanted[service.name, "postgres"] = self.postgres.port
            if service.messaging:
                wanted[service.name, "nats"] = self.nats.port
                wanted[GATEWAY.name, service.name] = self.ports[service.name]
        wanted["ledger", "postgres"], wanted["ledger", "nats"] = self.postgres.port, self.nats.port
        for ends, port in wanted.items():
            self.links[ends] = await Proxy(port).start()
            stack.push_async_callback(self.links[ends].close)

    @property
    def url(self) -> str:
        """The gateway, through the client's link."""
        return f"http://127.0.0.1:{self.links['client', GATEWAY.name].port}"

    @property
    def database_url(self) -> str:
        """The administrator's address of our database, past every link."""
        return f"{self.postgres.url.rpartition('/')[0]}/{DATABASE}"

    def client(self, name: str) -> tuple[str, str]:
        """Return id and secret of a seeded client."""
        found = next(c for c in load_clients(self.home) if c["client_id"] == name)
        return found["client_id"], found["client_secret"]

    async def start(
        self,
        *names: str,
        sabotage: Sequence[str] = (),
        crash_at: str = "",
    ) -> None:
        """Start these services (all, if none is named).

        Wait until they are ready, unless one is to end at a crash point: it may do so before.
        """
        chosen = names or NAMES
        for name in chosen:
            extra = {VARIABLE: crash_at} if crash_at else {}
            await self.fork(
                name,
                "shared.http.serve:serve",
                [f"{name.replace('-', '_')}.main:create_app"],
                self._variables(name) | extra,
                sabotage,
            )
        if not crash_at:
            await asyncio.gather(*(self.ready(name) for name in chosen))

    async def fork(
        self,
        name: str,
        call: str,
        arguments: Sequence[object],
        variables: dict[str, str],
        sabotage: Sequence[str] = (),
    ) -> None:
        """Run `call` in a process of its own; see `child.py`."""
        log = self.home.logs / f"{name}.log"
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        files = [str(HERE / "sabotage" / f"{each}.py") for each in sabotage]
        work = {
            "CALL": call,
            "ARGUMENTS": list(arguments),
            "SABOTAGE": files,
            "ACK_WAIT": ACK_WAIT_SECONDS,
        }
        try:
            running = await self._forkhost.fork(
                name, "runpy:run_path", [str(CHILD), work], variables | _THREADS, descriptor
            )
        finally:
            os.close(descriptor)
        self._processes[name] = _Process(running, log)

    async def ready(self, name: str) -> None:
        """Wait for `/readyz`; say why when the process ends instead."""
        process = self._processes[name]
        ended = asyncio.create_task(process.running.wait())
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await answers(self.ports[name], "/readyz"):
                    if ended.done():
                        said = process.log.read_text()[-2000:]
                        raise AssertionError(f"{name} ended ({ended.result()}):\n{said}")
                    await asyncio.sleep(0.02)
        finally:
            ended.cancel()

    def pid(self, name: str) -> int:
        return self._processes[name].running.pid

    async def ended(self, name: str, seconds: float = 20) -> int:
        """Wait for the end of a process, and return its exit code."""
        try:
            code = await asyncio.wait_for(self._processes[name].running.wait(), seconds)
        except TimeoutError:
            raise AssertionError(f"{name} did not end within {seconds:g} s") from None
        self._processes.pop(name, None)
        return code

    async def stop(self, *names: str, what: signal.Signals = signal.SIGKILL) -> None:
        """End these processes (all, if none is named); `kill -9` unless told otherwise."""
        chosen = [name for name in (names or tuple(self._processes)) if name in self._processes]
        for name in chosen:
            send(self.pid(name), what)
        for name in chosen:
            with suppress(KeyError):
                await self.ended(name)

    async def restart(self, *names: str) -> None:
        await self.stop(*names)
        await self.start(*names)

    def mend(self) -> None:
        """Take every fault of every link back."""
        for link in self.links.values():
            link.mend()

    def _variables(self, name: str) -> dict[str, str]:
        service = next(service for service in SERVICES if service.name == name)
        ports = dict(self.ports)
        if name == GATEWAY.name:
            ports = {
                other: port if other == name else self.links[name, other].port
                for other, port in ports.items()
            }
        environments = ServiceEnvironments(
            environment=self._environment,
            credentials=self.credentials,
            keys=load_keys(self.home),
            ports=ports,
            database_url=self.through(self.postgres.url, name, "postgres"),
            nats_url=self.through(self.nats.url, name, "nats"),
        )
        return environments.of(service)

    def through(self, url: str, name: str, server: str) -> str:
        """Return the server's address by way of this part's link."""
        link = self.links.get((name, server))
        port = self.postgres.port if server == "postgres" else self.nats.port
        return url.replace(f":{port}", f":{link.port}") if link else url

    # --- their data --------------------------------------------------------------------------

    async def reset(self) -> None:
        """Forget everything that was written, with no service running; clients stay."""
        await self.stop()
        self.mend()
        connection = await asyncpg.connect(self.database_url)
        try:
            tables = await connection.fetch(
                "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
                " WHERE schemaname = ANY($1) AND tablename NOT LIKE 'alembic%'"
                " AND tablename <> 'db_epoch'",
                [s.schema for s in SERVICES if s.messaging],
            )
            names = ", ".join(row["name"] for row in tables)
            await connection.execute(f"TRUNCATE {names}")
        finally:
            await connection.close()
        await self.forget_streams()

    async def forget_streams(self) -> None:
        """Delete every stream with its consumers, and make them anew."""
        client = await nats.connect(self.nats.url)
        try:
            for spec in STREAMS:
                await client.jetstream().delete_stream(spec.name)
        finally:
            await client.close()
        await self._provision_streams()

    async def _provision_streams(self) -> None:
        with _impatient():
            await provision_streams(self.nats.url)


@asynccontextmanager
async def cluster(folder: Path, services: Iterable[str] = NAMES) -> AsyncIterator[Cluster]:
    """Start everything; end it by its own pids."""
    async with Cluster(folder).running() as running:
        if chosen := tuple(services):
            await running.start(*chosen)
        yield running


async def until(condition, seconds: float = READY_SECONDS, what: str = ""):
    """Return the first true answer of the coroutine function; fail when none comes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await condition():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what or condition}")
