"""A background task that does one piece of work after the other, then waits."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.db.database import is_passing
from shared.outbox.worker import Loop
from shared.telemetry import get_logger, start_trace

log = get_logger("periodic")

MAX_PAUSE_SECONDS = 1.0


def periodic(
    name: str,
    step: Callable[[], Awaitable[bool]],
    seconds: float,
    woken: asyncio.Event | None = None,
) -> Loop:
    """Return a loop over `step`: at once again while it returns True, else after `seconds`.

    `woken` ends the wait early. A passing fault (the database is away) only delays.
    """
    signal = woken or asyncio.Event()

    async def loop(stop: asyncio.Event) -> None:
        pause = 0.2
        while not stop.is_set():
            start_trace()
            signal.clear()
            try:
                more = await step()
                pause = 0.2
            except Exception as error:
                if not is_passing(error):
                    raise
                log.warning("task_waits", task=name, seconds=pause, error=repr(error))
                await _either(stop, None, pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                continue
            if more:
                await asyncio.sleep(0)  # requests come first
            else:
                await _either(stop, signal, seconds)

    loop.__name__ = name
    return loop


async def _either(stop: asyncio.Event, signal: asyncio.Event | None, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, signal) if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
