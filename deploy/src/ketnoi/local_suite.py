"""A whole suite of one's own in a temporary folder, started as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketnoi.environment import without_ours
from ketnoi.errors import LauncherError
from shared.kernel.faults import VARIABLE

START_SECONDS = 120.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class LocalSuite:
    """A running suite: its address, its home, and what runs in it."""

    url: str
    home: Path
    launcher_pid: int

    @property
    def state(self) -> dict[str, Any]:
        """What the launcher says of itself: pids of the processes, ports."""
        found: dict[str, Any] = json.loads((self.home / "run" / "state.json").read_text())
        return found

    def client(self, name: str) -> tuple[str, str]:
        """Return id and secret of a seeded client."""
        clients = json.loads((self.home / "dev-clients.json").read_text())
        return clients[name]["client_id"], clients[name]["client_secret"]

    def environment(self) -> dict[str, str]:
        """Return the environment in which `ketnoi` finds this suite."""
        return without_ours(os.environ) | {"KETNOI_HOME": str(self.home)}


@contextmanager
def local_suite(home: Path, *, crash_at: str = "") -> Iterator[LocalSuite]:
    """Run `ketnoi run` on `home` with free ports; end it by its own pid.

    `crash_at` is KETNOI_CRASH_AT, for tests of faults.
    """
    environment = without_ours(os.environ) | {"KETNOI_HOME": str(home), "KETNOI_PORT": "0"}
    if crash_at:
        environment[VARIABLE] = crash_at
    home.mkdir(parents=True, exist_ok=True)
    log = home.parent / f"{home.name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ketnoi", "run"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _started(process, home, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(process: subprocess.Popen[bytes], home: Path, log: Path) -> LocalSuite:
    deadline = time.monotonic() + START_SECONDS
    state = home / "run" / "state.json"
    while time.monotonic() < deadline and process.poll() is None:
        if state.exists():
            return LocalSuite(json.loads(state.read_text())["url"], home, process.pid)
        time.sleep(0.05)
    raise LauncherError(f"the suite did not start:\n{log.read_text()[-4000:]}")
