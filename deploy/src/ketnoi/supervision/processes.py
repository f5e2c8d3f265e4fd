"""Starting programs so that none outlives the launcher, and asking loopback whether they answer."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ketnoi.servers.privileges import Account
from ketnoi.supervision import child

MINIMAL_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Running(Protocol):
    """A process that somebody started for us."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Return the exit code; minus the signal's number when one ended it."""
        ...


def command(
    program: Sequence[str],
    *,
    death_signal: signal.Signals,
    account: Account | None = None,
    cwd: Path | None = None,
) -> list[str]:
    """Wrap a command so that it drops rights and dies with us, see `ketnoi.supervision.child`."""
    how = {
        "parent": os.getpid(),
        "signal": int(death_signal),
        "account": [account.uid, account.gid] if account else None,
        "cwd": str(cwd) if cwd else None,
    }
    return [sys.executable, "-I", "-S", child.__file__, json.dumps(how), *program]


async def spawn(
    wrapped: Sequence[str],
    *,
    output: int,
    environment: Mapping[str, str],
    pass_fds: Sequence[int] = (),
) -> asyncio.subprocess.Process:
    """Start in a session of its own: Ctrl-C reaches the launcher only, which stops in order."""
    return await asyncio.create_subprocess_exec(
        *wrapped,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        pass_fds=pass_fds,
        start_new_session=True,
    )


async def finished(
    wrapped: Sequence[str], *, environment: Mapping[str, str], text: str = "", seconds: float = 60
) -> tuple[int, str]:
    """Run a short command to its end; return its exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        *wrapped,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(text.encode()), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 1, f"no end within {seconds:g} s"
    return process.returncode or 0, said.decode(errors="replace")


def send(pid: int, what: signal.Signals) -> None:
    """Signal a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, what)


def how_it_ended(code: int) -> str:
    """Say an exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


async def answers(port: int, path: str, host: str = "127.0.0.1", seconds: float = 2) -> bool:
    """Tell whether an HTTP GET gives 200; anything else is no."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                status = (await reader.readline()).split()
                return len(status) > 1 and status[1] == b"200"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
