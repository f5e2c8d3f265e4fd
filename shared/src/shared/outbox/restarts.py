"""Which background tasks died of something unforeseen, and were started again."""

import time
from collections import Counter
from datetime import UTC, datetime

from shared.kernel.health import Check

REMEMBERED_SECONDS = 60.0


class Restarts:
    """Counts deaths; a recent one is shown, an old one only counted."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._last = ""
        self._since: datetime | None = None
        self._last_at = 0.0

    def note(self, task: str, error: Exception) -> None:
        now = time.monotonic()
        if self._since is None or now - self._last_at > REMEMBERED_SECONDS:
            self._since = datetime.now(UTC)
        self.counts[task] += 1
        self._last, self._last_at = f"{task}: {type(error).__name__}: {error}"[:300], now

    async def check(self) -> Check:
        total = sum(self.counts.values())
        if self._since is None or time.monotonic() - self._last_at > REMEMBERED_SECONDS:
            return Check("pass", observed=total, unit="restarts")
        since = self._since.isoformat()
        return Check("warn", "task_died", total, "restarts", self._last, since)
