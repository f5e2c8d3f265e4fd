"""When supplies come faster than the lists can follow one by one."""

import math

FULL = 64
"""So many supplies at once are a full batch of the consumer: more wait behind it."""
PAUSE_SECONDS = 1.0
LONGEST_SECONDS = 300


class Flood:
    """Says whether many supplies are running in, as an import's do.

    Each batch of them would change nearly all lists, and the next one again: while it lasts, lists
    wait to be ranked once. It is over after a second's pause, and counts as over after five
    minutes: nobody's list waits longer.
    """

    def __init__(self) -> None:
        self._began = self._last = -math.inf

    def note(self, supplies: int, now: float) -> None:
        """Hear of a batch."""
        if supplies < FULL:
            return
        if now - self._last > PAUSE_SECONDS:
            self._began = now
        self._last = now

    def is_on(self, now: float) -> bool:
        return now - self._last <= PAUSE_SECONDS and now - self._began <= LONGEST_SECONDS
