"""Health for operations staff: alive, started, ready, and in detail what is wrong.

A check is asked at most every two seconds however many ask, never twice at once, and never longer
than its second; what depends on a broken part is not asked at all, so that the cause stands out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from shared.http.advice import advice_for
from shared.http.loop import LoopMonitor
from shared.http.metrics import CHECK, LOOP_LAG, Collector, Reading
from shared.kernel.health import WORST, Check, CheckFunction

__all__ = ["Check", "CheckFunction", "Health", "entry", "in_background", "repeated"]

CHECK_SECONDS = 0.85
"""All checks together stay within the second that whoever gathers them gives."""
CACHE_SECONDS = 2.0
FAILURE_CACHE_SECONDS = 0.2
"""A recovery is seen at once; a dead dependency is still not asked by every probe."""
COLLECT_SECONDS = 0.5
WATCH_SECONDS = 5.0
NOT_CHECKED = "not_checked"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class FaultNote(Protocol):
    """Whoever wants to hear of the database's faults that requests meet."""

    def note(self, error: BaseException) -> None: ...


@dataclass(slots=True)
class _Component:
    """One check with what it found last."""

    name: str
    run: CheckFunction
    needed: bool
    after: str | None
    found: Check | None = None
    found_at: float = 0.0
    since: str = ""
    looking: asyncio.Task[Check] | None = None

    def fresh(self) -> bool:
        if self.found is None:
            return False
        kept = FAILURE_CACHE_SECONDS if self.found.status == "fail" else CACHE_SECONDS
        return time.monotonic() - self.found_at <= kept

    async def look(self) -> Check:
        """Return what was found lately, or look; who comes meanwhile waits for the same look."""
        if self.fresh() and self.found is not None:
            return self.found
        if self.looking is None or self.looking.done():
            self.looking = asyncio.create_task(self._look())
        return await asyncio.shield(self.looking)

    async def _look(self) -> Check:
        found = await _bounded(self.run)
        self.note(found)
        return found

    def note(self, found: Check) -> None:
        before = self.found
        if before is None or (before.status, before.code) != (found.status, found.code):
            self.since = _now()
        self.found, self.found_at = found, time.monotonic()


async def _bounded(run: CheckFunction) -> Check:
    try:
        return await asyncio.wait_for(run(), CHECK_SECONDS)
    except TimeoutError:
        return Check("fail", "check_failed", output=f"no answer within {CHECK_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 - any failure of a probe is its finding
        return Check("fail", "check_failed", output=f"{type(error).__name__}: {error}"[:500])


class Health:
    """The components of one process; `draining` says that it is leaving."""

    def __init__(self, service: str, checks: Mapping[str, CheckFunction] | None = None) -> None:
        self.service = service
        self.draining = False
        self.loop = LoopMonitor()
        self.database: FaultNote | None = None
        self._components: dict[str, _Component] = {}
        self._startup: dict[str, CheckFunction] = {}
        self._started = False
        self._collectors: list[Collector] = []
        self.add("process", self._process)
        self.add("loop", self.loop.check)
        for name, run in (checks or {}).items():
            self.add(name, run, needed=True)

    def add(
        self, name: str, run: CheckFunction, *, needed: bool = False, after: str | None = None
    ) -> None:
        """Look at one more component.

        `needed`: without it the service is not ready. `after`: not asked while that one fails.
        """
        self._components[name] = _Component(name, run, needed, after)

    def add_startup(self, name: str, run: CheckFunction) -> None:
        """Require something once, before the service counts as started."""
        self._startup[name] = run

    def collect(self, collector: Collector) -> None:
        """Let `collector` look things up for each scrape of `/metrics`."""
        self._collectors.append(collector)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the event loop meanwhile, and look now and then though nobody asks."""
        async with in_background(self.loop.run()), in_background(repeated(self.check)):
            yield

    async def check(self) -> dict[str, Check]:
        """Return every component's state, at most `CACHE_SECONDS` old."""
        first = [part for part in self._components.values() if part.after is None]
        await asyncio.gather(*(part.look() for part in first))
        rest = [part for part in self._components.values() if part.after is not None]
        await asyncio.gather(*(self._look_after(part) for part in rest))
        return {name: part.found for name, part in self._components.items() if part.found}

    async def _look_after(self, part: _Component) -> None:
        cause = self._components.get(part.after or "")
        if cause is not None and cause.found is not None and cause.found.status == "fail":
            part.note(Check("warn", NOT_CHECKED, output=cause.name))
        else:
            await part.look()

    async def _process(self) -> Check:
        return Check("fail", "leaving") if self.draining else Check("pass")

    def leave(self) -> None:
        """Say from now on that the process is leaving."""
        self.draining = True
        self._components["process"].note(Check("fail", "leaving"))

    def alive(self) -> bool:
        """Tell whether the event loop gets its turn; deliberately looks at nothing else."""
        return self.loop.alive()

    async def not_ready(self) -> list[str]:
        """Return the needed components that fail; empty means ready."""
        needed = [part for part in self._components.values() if part.needed]
        found = await asyncio.gather(*(part.look() for part in needed))
        failing = [
            part.name for part, state in zip(needed, found, strict=True) if state.status == "fail"
        ]
        return [*failing, *(["process"] if self.draining else [])]

    async def not_started(self) -> dict[str, Check]:
        """Return what a start still lacks; once nothing did, it is not asked again."""
        if self._started:
            return {}
        runs = self._startup | {
            part.name: part.look for part in self._components.values() if part.needed
        }
        found = await asyncio.gather(*(_bounded(run) for run in runs.values()))
        named = zip(runs, found, strict=True)
        lacking = {name: state for name, state in named if state.status == "fail"}
        self._started = not lacking
        return lacking

    async def document(self) -> dict[str, Any]:
        """Return the `application/health+json` document, what is broken first."""
        found = await self.check()
        worst = max((state.status for state in found.values()), key=WORST.__getitem__)
        names = _broken_first(found)
        return {
            "status": worst,
            "serviceId": self.service,
            "checks": {name: [entry(found[name], self._components[name].since)] for name in names},
        }

    async def read_metrics(self) -> Reading:
        """Return what there is to see now; a part that does not answer leaves its values out."""
        reading = Reading()
        for name, state in (await self.check()).items():
            reading.put(CHECK, WORST[state.status], name)
        reading.put(LOOP_LAG, self.loop.worst())
        await asyncio.gather(*(_collected(run, reading) for run in self._collectors))
        return reading


async def repeated(look: Callable[[], Awaitable[object]]) -> None:
    """Look every few seconds, so that «since» is true even where nobody has asked for hours."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        with suppress(Exception):
            await look()


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work`, which never ends by itself, until the block is left."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _collected(collector: Collector, reading: Reading) -> None:
    with suppress(Exception):  # its check says what is wrong; a scrape shows what there is
        await asyncio.wait_for(collector(reading), COLLECT_SECONDS)


def _broken_first(found: Mapping[str, Check]) -> Iterable[str]:
    """Return the names, the failing ones first, else in their order."""
    return sorted(found, key=lambda name: -WORST[found[name].status])


def entry(state: Check, since: str) -> dict[str, Any]:
    """Return one check as the document shows it; what is wrong says what to do about it."""
    shown: dict[str, Any] = {"status": state.status, "since": state.since or since}
    if state.code:
        advice = advice_for(state.code)
        shown |= {
            "code": state.code,
            "what": advice.what.as_json(),
            "what_to_do": advice.todo.as_json(),
        }
    if state.observed is not None:
        shown["observedValue"] = state.observed
    if state.unit is not None:
        shown["observedUnit"] = state.unit
    if state.output is not None:
        shown["output"] = state.output
    return shown
