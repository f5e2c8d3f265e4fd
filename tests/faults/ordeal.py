"""What is done to a whole suite as a user runs it: its launcher has to bring everything back.

Only the kernel and the file system are used: signals, and the broker's store as a folder. Beside
each kill stands how long it took until the suite served, was well, and ranked again.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import httpx
import nats
import psutil

from faults.evidence import unsettled
from faults.load import Load
from faults.proxy import Proxy
from ketnoi.credentials import ADMIN
from ketnoi.environment import Environment
from ketnoi.local_suite import LocalSuite
from ketnoi.operator.republish import admin_url

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    nats.errors.Error,
)
"""What a look at the servers may meet while they are down."""
SLOW_SECONDS = 3.0
"""After this, what keeps the health from being good is counted."""
RANKED_SECONDS = 90.0
_GONE_SECONDS = 10.0


@dataclass(slots=True)
class Recovery:
    """Seconds from a fault until a write was taken, health was good, and the write was ranked."""

    served: float
    well: float | None = None
    ranked: float | None = None


@dataclass(slots=True)
class Record:
    """What was done, and how long each recovery took."""

    done: Counter[str] = field(default_factory=Counter)
    recoveries: dict[str, list[Recovery]] = field(default_factory=lambda: defaultdict(list))
    repairs: list[dict[str, Any]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """What kept the health from being good for longer than it should."""

    @property
    def kills(self) -> int:
        return sum(count for name, count in self.done.items() if name.startswith("kill "))

    def __str__(self) -> str:
        head = f"{'fault':<24} {'times':>5}"
        for name in ("served", "well", "ranked"):
            head += f"  {name + ' p50':>10} {'max':>6}"
        lines = [head]
        for fault, times in sorted(self.done.items()):
            line = f"{fault:<24} {times:>5}"
            for name in ("served", "well", "ranked"):
                found = [getattr(each, name) for each in self.recoveries.get(fault, ())]
                known = [seconds for seconds in found if seconds is not None]
                line += f"  {median(known):>10.2f} {max(known):>6.2f}" if known else " " * 19
            lines.append(line)
        lines += [f"{repair}" for repair in self.repairs]
        lines += [f"slow to be well: {why} ({times})" for why, times in self.reasons.items()]
        return "\n".join(lines)

    def figures(self) -> dict[str, Any]:
        """Return the same as plain values."""
        return {
            "faults": dict(self.done),
            "kills": self.kills,
            "recovery seconds": {
                fault: {
                    name: {"p50": round(median(known), 2), "max": round(max(known), 2)}
                    for name in ("served", "well", "ranked")
                    if (known := [v for each in found if (v := getattr(each, name)) is not None])
                }
                for fault, found in self.recoveries.items()
            },
            "repairs": self.repairs,
        }


class Ordeal:
    """Faults for one suite under one load."""

    def __init__(self, suite: LocalSuite, load: Load, link: Proxy, *, patience: float) -> None:
        self.record = Record()
        self.dice = random.Random(1)
        self.patience = patience
        """Seconds to wait for good health before the next fault."""
        self._suite = suite
        self._load = load
        self._link = link
        self._copy: Path | None = None
        self._copied_at = 0.0
        self._number = 0
        self._watching: set[asyncio.Task[None]] = set()

    # --- the suite ---------------------------------------------------------------------------

    @property
    def processes(self) -> dict[str, int]:
        found: dict[str, int] = self._suite.state["processes"]
        return found

    @property
    def database_url(self) -> str:
        return admin_url(Environment.read(self._suite.environment(), Path.cwd()))

    @property
    def nats_url(self) -> str:
        password = json.loads((self._suite.home / "credentials.json").read_text())["nats"][ADMIN]
        return f"nats://{ADMIN}:{password}@127.0.0.1:{self._suite.state['ports']['nats']}"

    @property
    def logs(self) -> Path:
        return self._suite.home / "logs"

    @property
    def _store(self) -> Path:
        return self._suite.home / "data" / "nats"

    async def well(self, seconds: float = 60) -> None:
        """Wait until the gathered health says that nothing fails."""
        started = time.monotonic()
        async with asyncio.timeout(seconds), httpx.AsyncClient(timeout=3) as http:
            while True:
                with suppress(httpx.TransportError, ValueError):
                    said = (await http.get(f"{self._suite.url}/healthz")).json()
                    if said["status"] != "fail":  # a warning may outlast the fault
                        return
                    if time.monotonic() - started > SLOW_SECONDS:
                        self.record.reasons.update(_reasons(said))
                await asyncio.sleep(0.05)

    async def settle(self, seconds: float) -> float:
        """Wait until nothing is on its way."""
        started, waiting = time.monotonic(), {"?": 1}
        while waiting and time.monotonic() - started < seconds:
            with suppress(*UNREACHABLE):
                waiting = await unsettled(self.database_url, self.nats_url)
            await asyncio.sleep(0.1)
        assert not waiting, f"after {seconds:g} s still on the way: {waiting}"
        return time.monotonic() - started

    # --- faults ------------------------------------------------------------------------------

    async def kill(self, name: str) -> None:
        """`kill -9`; the launcher brings it back, and with the fork host all that it forked."""
        before = self.processes
        if not _runs(before.get(name)):
            await asyncio.sleep(0.1)  # still down from before
            return
        os.kill(before[name], signal.SIGKILL)
        victims = {name} if name != "forkhost" else set(before) - {"nats", "postgres"}
        await self._recovered(f"kill {name}", {each: before[each] for each in victims})

    async def pause(self, name: str, seconds: float) -> None:
        """Stop a process and let it go on: a zombie, when the broker has given up waiting."""
        pid = self.processes.get(name)
        if not _runs(pid):
            return
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        await self._recovered(f"pause {name}" if seconds < 60 else f"long pause {name}")

    async def lose_store(self) -> None:
        """Delete everything that the broker keeps."""
        async with self._without_broker() as gone:
            shutil.rmtree(self._store / "jetstream")
        await self._repaired("store deleted", gone)

    async def copy_store(self) -> None:
        """Keep the broker's store as it is now, to be rolled back to."""
        self._copy = self._suite.home.parent / "store-copy"
        shutil.rmtree(self._copy, ignore_errors=True)
        pid = self.processes["nats"]
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.to_thread(shutil.copytree, self._store, self._copy)
        finally:
            os.kill(pid, signal.SIGCONT)
        self._copied_at = time.monotonic()

    @property
    def copy_age(self) -> float:
        """Seconds since the store was copied; infinite without a copy."""
        return time.monotonic() - self._copied_at if self._copy else float("inf")

    async def roll_back_store(self) -> None:
        """Put the copy in the place of the store, as if the disk had forgotten the rest."""
        assert self._copy is not None
        age = time.monotonic() - self._copied_at
        async with self._without_broker() as gone:
            shutil.rmtree(self._store)
            shutil.copytree(self._copy, self._store)
        await self._repaired("store rolled back", gone, f"{age:.0f} s")

    @asynccontextmanager
    async def _without_broker(self) -> AsyncIterator[dict[str, int]]:
        """Kill the broker, and keep the launcher from bringing it back meanwhile."""
        gone = {"nats": self.processes["nats"]}
        os.kill(self._suite.launcher_pid, signal.SIGSTOP)
        try:
            await _is(self._suite.launcher_pid, psutil.STATUS_STOPPED)
            os.kill(gone["nats"], signal.SIGKILL)
            await _is(gone["nats"], psutil.STATUS_ZOMBIE)
            yield gone
        finally:
            os.kill(self._suite.launcher_pid, signal.SIGCONT)

    async def lose_answers(self, seconds: float, share: float = 0.3) -> None:
        """Drop answers that the gateway has given, for some time."""
        before = self._link.lost
        self._link.lose = lambda _: self.dice.random() < share
        await asyncio.sleep(seconds)
        self._link.lose = None
        self.record.done["answers lost"] += self._link.lost - before

    # --- and after them ----------------------------------------------------------------------

    async def _repaired(self, fault: str, gone: dict[str, int], detail: str = "") -> None:
        started = time.monotonic()
        await self._recovered(fault, gone)
        events = await self._sent_again()
        seconds = round(time.monotonic() - started, 1)
        self.record.repairs.append(
            {"fault": f"{fault} {detail}".strip(), "events": events, "whole after s": seconds}
        )

    async def _sent_again(self) -> int:
        """Wait until the streams hold every event of the outboxes; return how many those are."""
        while True:
            with suppress(*UNREACHABLE):
                kept, held = await self._counts()
                if all(h >= k for h, k in zip(held, kept, strict=True)):
                    return sum(kept)
            await asyncio.sleep(0.2)

    async def _counts(self) -> tuple[list[int], list[int]]:
        connection = await asyncpg.connect(self.database_url, timeout=3)
        try:
            kept = [
                await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox")
                for schema in ("demand", "supply", "matching")
            ]
        finally:
            await connection.close()
        client = await nats.connect(self.nats_url, allow_reconnect=False)
        try:
            infos = [
                await client.jetstream().stream_info(stream)
                for stream in ("DEMAND", "SUPPLY", "MATCHING")
            ]
        finally:
            await client.close()
        return kept, [info.state.messages for info in infos]

    async def _back(self, gone: dict[str, int]) -> None:
        """Wait until the launcher says that other processes stand in the place of these."""
        async with asyncio.timeout(60):
            while any(self.processes.get(name, pid) == pid for name, pid in gone.items()):
                await asyncio.sleep(0.02)

    async def _recovered(self, fault: str, gone: dict[str, int] | None = None) -> None:
        started = time.monotonic()
        self.record.done[fault] += 1
        self._number += 1
        call = await self._load.publish(f"probe-{self._number}")
        assert call.acknowledged, call
        recovery = Recovery(time.monotonic() - started)
        self.record.recoveries[fault].append(recovery)
        watch = asyncio.create_task(self._ranked(str(call.id), recovery, started))
        self._watching.add(watch)
        watch.add_done_callback(self._watching.discard)
        try:
            async with asyncio.timeout(self.patience):
                await self._back(gone or {})
                await self.well()
        except TimeoutError:
            self.record.done["still ill after the patience"] += 1
        else:
            recovery.well = time.monotonic() - started

    async def _ranked(self, demand_id: str, recovery: Recovery, started: float) -> None:
        while time.monotonic() - started < RANKED_SECONDS:
            with suppress(*UNREACHABLE):
                connection = await asyncpg.connect(self.database_url, timeout=3)
                try:
                    if await connection.fetchval(
                        "SELECT 1 FROM matching.match_run WHERE demand_id = $1::uuid LIMIT 1",
                        demand_id,
                    ):
                        recovery.ranked = time.monotonic() - started
                        return
                finally:
                    await connection.close()
            await asyncio.sleep(0.2)
        recovery.ranked = RANKED_SECONDS

    async def watched(self) -> None:
        """Wait for the last rankings."""
        await asyncio.gather(*self._watching)


def _reasons(health: dict[str, Any]) -> set[str]:
    """Name the checks that do not pass."""
    parts = {"gateway": health, **(health.get("services") or {})}
    found = set()
    for part, document in parts.items():
        if document.get("status") == "fail" and not document.get("checks"):
            found.add(f"{part}: {document.get('output')}")
        for name, entries in (document.get("checks") or {}).items():
            found |= {
                f"{part} {name}: {str(entry.get('output'))[:80]}"
                for entry in entries
                if entry.get("status") != "pass"
            }
    return found


async def _is(pid: int, status: str) -> None:
    """Wait for a process's status, or for its end."""
    async with asyncio.timeout(_GONE_SECONDS):
        with suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != status:
                await asyncio.sleep(0.01)


def _runs(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid)
