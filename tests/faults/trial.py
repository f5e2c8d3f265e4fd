"""One run: a clean cluster, a load with its history, faults, and then the judgement."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from faults.checker import Report, judge
from faults.cluster import NAMES, Cluster
from faults.evidence import Evidence, gather, unsettled, written
from faults.history import History
from faults.ledger import Ledger
from faults.load import Load

RECOVERY_SECONDS = 20.0


class Trial:
    """What a test of faults works with."""

    def __init__(self, cluster: Cluster, folder: Path, tokens: dict[str, str]) -> None:
        self.cluster = cluster
        self.ledger = Ledger(cluster)
        self.history = History(folder / "history.jsonl")
        self.load = Load(cluster.url, cluster.client, self.history, pause=0.01, tokens=tokens)
        self.sabotage: Mapping[str, Sequence[str]] = {}
        self._has_ledger = False

    async def start(
        self,
        *,
        sabotage: Mapping[str, Sequence[str]] | None = None,
        crash_at: Mapping[str, str] | None = None,
        ledger: bool = True,
    ) -> "Trial":
        """Start all services and the ledger on empty tables, some of them sabotaged."""
        self.sabotage = wrong = sabotage or {}
        ends = crash_at or {}
        await self.cluster.reset()
        for name in (*wrong, *ends):
            assert name in (*NAMES, "ledger")
        self._has_ledger = ledger
        if ledger:
            await self.ledger.prepare()
            await self.ledger.start(
                sabotage=wrong.get("ledger", ()), crash_at=ends.get("ledger", "")
            )
        await asyncio.gather(
            *(
                self.cluster.start(name, sabotage=wrong.get(name, ()), crash_at=ends.get(name, ""))
                for name in NAMES
            )
        )
        return self

    async def close(self) -> None:
        await self.load.close()
        self.history.close()

    async def settle(self, seconds: float = RECOVERY_SECONDS, *, quietly: bool = False) -> float:
        """Wait until nothing is on its way; return how long. `quietly`: judge it as it is."""
        started = asyncio.get_running_loop().time()
        waiting: dict[str, int] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while waiting := await self._waiting():
                    await asyncio.sleep(0.05)
        if waiting and not quietly:
            raise AssertionError(f"after {seconds:g} s still on the way: {waiting}")
        return asyncio.get_running_loop().time() - started

    async def _waiting(self) -> dict[str, int]:
        extra = ("ledger",) if self._has_ledger else ()
        return await unsettled(self.cluster.database_url, self.cluster.nats.url, extra)

    async def evidence(self) -> Evidence:
        """Read everything while nothing moves: new statistics may be due a second after the end."""
        return await gather_at_rest(
            self.cluster.database_url, self.cluster.nats.url, self.load, ledger=self._has_ledger
        )

    async def judge(self, **more: Any) -> Report:
        return judge(self.history, await self.evidence(), **more)


async def gather_at_rest(
    database_url: str, nats_url: str, load: Load, *, ledger: bool = False, tries: int = 10
) -> Evidence:
    """Gather again when something was written meanwhile."""
    for _ in range(tries):
        before = await written(database_url)
        _, dashboard = await load.read("operator", "/v1/reporting/dashboard")
        found = await gather(database_url, nats_url, dashboard, ledger=ledger)
        await asyncio.sleep(0.05)
        if await written(database_url) == before and not any(found.pending.values()):
            break
        await asyncio.sleep(0.3)
    return found


async def repeat(times: int, work: Callable[[], Awaitable[Any]], at_once: int = 8) -> list[Any]:
    """Do the same thing many times, some at a time."""
    slots = asyncio.Semaphore(at_once)

    async def one() -> Any:
        async with slots:
            return await work()

    return await asyncio.gather(*(one() for _ in range(times)))
