"""When to stop calling a service that fails, and when to ask again."""

import math
import time
from collections import deque
from collections.abc import Callable

CALLS = 20
FAILURES = 10
WINDOW_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0


class BreakerOpenError(Exception):
    """No call now; ask again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"open for {seconds:.1f} s")
        self.seconds = max(1, math.ceil(seconds))


class Breaker:
    """Opens when half of the last 20 calls failed; then lets one call at a time try.

    The pause begins at one second, so that a service that is merely restarting is back at once,
    and doubles with every failed try.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._calls: deque[tuple[float, bool]] = deque(maxlen=CALLS)
        self._open_until: float | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._probing = False

    @property
    def state(self) -> str:
        """`closed`, `open`, or `half-open` while the next call decides."""
        if self._open_until is None:
            return "closed"
        return "open" if self._now() < self._open_until else "half-open"

    def admit(self) -> bool:
        """Let a call through, or raise BreakerOpenError; True when this call is the try."""
        if self._open_until is None:
            return False
        left = self._open_until - self._now()
        if left > 0 or self._probing:
            raise BreakerOpenError(left)
        self._probing = True
        return True

    def succeeded(self, *, probe: bool) -> None:
        if self._open_until is None:
            self._calls.append((self._now(), True))
        elif probe:
            self._open_until = None
            self._pause = FIRST_PAUSE_SECONDS
            self._probing = False
            self._calls.clear()

    def failed(self, *, probe: bool) -> None:
        """Count a failure. Late news of calls from before the opening changes nothing."""
        now = self._now()
        if probe:
            self._probing = False
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            self._open_until = now + self._pause
        elif self._open_until is None:
            self._calls.append((now, False))
            recent = [ok for at, ok in self._calls if now - at <= WINDOW_SECONDS]
            if recent.count(False) >= FAILURES:
                self._open_until = now + self._pause

    def abandoned(self, *, probe: bool) -> None:
        """The caller left before the answer: nothing was learnt."""
        if probe:
            self._probing = False
