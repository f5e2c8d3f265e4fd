"""How late the event loop is: what blocks it delays requests, acknowledgements and pings alike."""

import asyncio
import time
from collections import deque

from shared.kernel.health import Check

EVERY_SECONDS = 0.5
REMEMBERED = 20
"""Ten seconds."""
SLOW_SECONDS = 1.0
DEAD_SECONDS = 5.0


class LoopMonitor:
    """Wakes twice a second and sees how late it is."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=REMEMBERED)
        self._due: float | None = None

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            self._due = time.monotonic() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            self._lags.append(max(0.0, time.monotonic() - self._due))

    def lag(self) -> float:
        """Return how late it is now."""
        late = 0.0 if self._due is None else time.monotonic() - self._due
        return max(0.0, late, self._lags[-1] if self._lags else 0.0)

    def worst(self) -> float:
        """Return the greatest lag of the last ten seconds."""
        return max((*self._lags, self.lag()))

    def alive(self) -> bool:
        return self.lag() < DEAD_SECONDS

    async def check(self) -> Check:
        worst = round(self.worst(), 3)
        if worst < SLOW_SECONDS:
            return Check("pass", observed=worst, unit="s")
        return Check("warn", "loop_slow", observed=worst, unit="s")
