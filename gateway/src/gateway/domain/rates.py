"""How much a caller has asked in the last minute, at a cost that does not grow with callers.

The `limits` package's memory storage looks at every key on every hit (2.6 ms with 20,000
callers), which would make the limiter itself the way to stop the gateway.
"""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 60
MAX_KEYS = 100_000
_REST = "rest"


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a caller stands; `reset_seconds` is when the next window begins."""

    allowed: bool
    remaining: int
    reset_seconds: int


class RateWindow:
    """A sliding window of two counters: the last minute's count fades as this one passes."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._window = 0
        self._before: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def hit(self, key: str, limit: int) -> Usage:
        """Count one request of `key`; a refused one does not count."""
        window, into = divmod(self._now(), WINDOW_SECONDS)
        if window != self._window:
            self._before = self._counts if window == self._window + 1 else {}
            self._counts = {}
            self._window = int(window)
        if len(self._counts) >= MAX_KEYS and key not in self._counts:
            key = _REST
        count = self._counts.get(key, 0)
        fading = self._before.get(key, 0) * (1 - into / WINDOW_SECONDS)
        left = limit - count - int(fading)
        reset = int(WINDOW_SECONDS - into) + 1
        if left <= 0:
            return Usage(False, 0, reset)
        self._counts[key] = count + 1
        return Usage(True, left - 1, reset)


def address_key(address: str) -> str:
    """Return the key of an address; one IPv6 subscriber has a /64, so that is the key."""
    if ":" not in address:
        return address
    try:
        network = ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False)
    except ValueError:
        return address
    return str(network.network_address)
