"""Keeps processes running: in the order of readiness, again after a crash, down in reverse."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ketnoi.errors import LauncherError, first_refusal
from ketnoi.supervision.output import Output
from ketnoi.supervision.processes import Running, how_it_ended, send

FIRST_DELAY = 0.2
LONGEST_DELAY = 10.0
HEALTHY_AFTER = 5.0
"""Seconds of being ready after which an end is an accident, and the next start is soon again."""
_HURRIED = 0.5

Ladder = tuple[tuple[signal.Signals, float], ...]
# A service ends itself after 25 s (`shared.http.serve`); this is for one that cannot any more.
POLITE: Ladder = ((signal.SIGTERM, 27), (signal.SIGKILL, 5))


def _plain(name: str) -> Callable[[int, str], str]:
    return lambda code, said: f"{name} {how_it_ended(code)} before it was ready.\n{said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """How to start, watch and stop one process.

    `launch` gets the file descriptor for its output; `explain` turns a failed first start into
    a message; `attempts` is how often the first start is tried.
    """

    name: str
    launch: Callable[[int], Awaitable[Running]]
    is_ready: Callable[[], Awaitable[bool]]
    ladder: Ladder = POLITE
    explain: Callable[[int, str], str] | None = None
    attempts: int = 1
    ready_seconds: float = 60


class Supervisor:
    """Starts groups of programs one after another and stops them in reverse.

    `on_return` is called with a program's name whenever it is ready again, with another pid.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._groups: list[list[_Keeper]] = []
        self.hurry = asyncio.Event()
        self.on_return: Callable[[str], None] = lambda _: None

    async def start(self, *programs: Program) -> None:
        """Start side by side; return when all are ready, raise for the first that fails."""
        keepers = [_Keeper(program, self._output, self._returned) for program in programs]
        self._groups.append(keepers)
        with first_refusal():
            async with asyncio.TaskGroup() as group:
                for keeper in keepers:
                    group.create_task(keeper.start())

    async def stop(self) -> None:
        """End everything, last started first; `hurry` shortens every wait."""
        for keepers in reversed(self._groups):
            await asyncio.gather(*(keeper.stop(self.hurry) for keeper in keepers))

    def _returned(self, name: str) -> None:
        self.on_return(name)

    def pids(self) -> dict[str, int]:
        """Return the processes that run now."""
        keepers = [keeper for group in self._groups for keeper in group]
        return {keeper.program.name: keeper.pid for keeper in keepers if keeper.pid}


class _Keeper:
    """One program, kept alive."""

    def __init__(self, program: Program, output: Output, returned: Callable[[str], None]) -> None:
        self.program = program
        self._returned = returned
        self.pid: int | None = None
        self._output = output
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._ready_at: float | None = None

    async def start(self) -> None:
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(first), name=self.program.name)
        try:
            await asyncio.wait_for(first, self.program.ready_seconds)
        except TimeoutError:
            raise LauncherError(
                f"{self.program.name} was not ready within {self.program.ready_seconds:g} s."
                f" Its last lines:\n{self._output.tail(self.program.name)}"
            ) from None

    async def _keep(self, first: asyncio.Future[None]) -> None:
        delay, attempts = FIRST_DELAY, 0
        reason: LauncherError | None
        while not self._stop.is_set():
            attempts += 1
            try:
                code = await self._run_once(first)
            except LauncherError as error:
                code, reason = 1, error
            except OSError as error:
                code, reason = 1, LauncherError(f"{self.program.name} cannot start: {error}")
            else:
                reason = None
            if self._stop.is_set():
                return
            if not first.done() and attempts >= self.program.attempts:
                first.set_exception(reason or LauncherError(self._explanation(code)))
                return
            if self._ready_at and time.monotonic() - self._ready_at > HEALTHY_AFTER:
                delay = FIRST_DELAY
            how = str(reason) if reason else how_it_ended(code)
            self._output.say(f"{self.program.name} {how}; starting again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _run_once(self, first: asyncio.Future[None]) -> int:
        self._ready_at = None
        write, ended = await self._output.pipe(self.program.name)
        try:
            running = await self.program.launch(write)
        finally:
            os.close(write)
        self.pid = running.pid
        watch = asyncio.create_task(self._watch(first))
        try:
            code = await running.wait()
        finally:
            self.pid = None
            watch.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.5)
        return code

    async def _watch(self, first: asyncio.Future[None]) -> None:
        pause = 0.01
        while not await self.program.is_ready():
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)
        self._ready_at = time.monotonic()
        if first.done():
            self._returned(self.program.name)
            self._output.say(f"{self.program.name} is ready again")
        else:
            first.set_result(None)

    def _explanation(self, code: int) -> str:
        explain = self.program.explain or _plain(self.program.name)
        return explain(code, self._output.tail(self.program.name))

    async def stop(self, hurry: asyncio.Event) -> None:
        """Go down the ladder of signals until the process is gone."""
        self._stop.set()
        if self._task is None:
            return
        if self.pid is None:
            self._task.cancel()
        for what, seconds in self.program.ladder:
            if self._task.done():
                break
            if self.pid:
                send(self.pid, what)
            await _done_within(self._task, seconds, hurry)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def _done_within(task: asyncio.Task[None], seconds: float, hurry: asyncio.Event) -> None:
    called = asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({task, called}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and hurry.is_set():
            await asyncio.wait({task}, timeout=_HURRIED)
    finally:
        called.cancel()
