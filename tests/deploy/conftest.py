"""Starting launchers as a user would, and looking at what they leave."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from ketnoi.local import LocalServers, embedded_servers

STAND_IN = Path(__file__).parent / "stand_in.py"


@dataclass
class Launched:
    """A launcher in a process of its own, and all that it has printed."""

    process: asyncio.subprocess.Process
    home: Path
    lines: list[str] = field(default_factory=list)

    async def until(self, text: str) -> str:
        """Read until a line holds `text`; fail with everything said when there is none."""
        assert self.process.stdout is not None
        async with asyncio.timeout(50):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip())
                if text in line:
                    return line.rstrip()
        pytest.fail(f"no {text!r} in:\n" + "\n".join(self.lines))

    async def ready(self) -> str:
        return await self.until("ready http://")

    async def ended(self) -> int:
        assert self.process.stdout is not None
        async with asyncio.timeout(50):
            rest = (await self.process.stdout.read()).decode()
            self.lines += rest.splitlines()
            return await self.process.wait()

    async def stop(self, what: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(what)
        return await self.ended()

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.home / "run" / "state.json").read_text())

    def family(self) -> list[psutil.Process]:
        """Every process below the launcher."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def who(self, service: str) -> dict[str, Any]:
        """Ask a stand-in for its pid and environment."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.state["ports"][service])
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        _, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return json.loads(body)


async def left_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait for these very processes to end; return those that do not."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, 20)
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def left() -> Callable[[list[psutil.Process]], Awaitable[list[psutil.Process]]]:
    return left_of


Launch = Callable[..., Awaitable[Launched]]


@pytest_asyncio.fixture
async def launch(tmp_path: Path) -> AsyncIterator[Launch]:
    """Return a function that starts a launcher with stand-in services on a free port."""
    started: list[Launched] = []

    async def start(
        home: Path = tmp_path / "home",
        python: str = sys.executable,
        user: int | None = None,
        **variables: str,
    ) -> Launched:
        environment = os.environ | {"KETNOI_HOME": str(home), "KETNOI_PORT": "0"} | variables
        process = await asyncio.create_subprocess_exec(
            python,
            str(STAND_IN),
            user=user,
            extra_groups=None if user is None else [],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(Launched(process, home))
        return started[-1]

    yield start
    for launched in started:
        if launched.process.returncode is None:
            launched.process.terminate()
            await launched.ended()


@pytest_asyncio.fixture(scope="session")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServers]:
    """Postgres and NATS with roles, schemas and streams, but no tables."""
    async with embedded_servers(tmp_path_factory.mktemp("bare"), migrations=False) as local:
        yield local


@pytest.fixture
def home_of_bare(tmp_path: Path, bare: LocalServers) -> Path:
    """A home whose passwords are those that the `bare` servers know."""
    home = tmp_path / "home"
    home.mkdir()
    passwords = {"postgres": bare.passwords, "nats": bare.passwords}
    (home / "credentials.json").write_text(json.dumps(passwords))
    return home
