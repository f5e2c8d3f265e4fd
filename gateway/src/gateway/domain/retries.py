"""How many calls may be repeated: a tenth of those made, so that repeats never become the load."""

SHARE = 0.1
MOST = 10.0


class RetryBudget:
    """Fills with every call and empties with every repeat; a burst of ten is always there."""

    def __init__(self) -> None:
        self._left = MOST

    def earn(self) -> None:
        """Count a call."""
        self._left = min(MOST, self._left + SHARE)

    def spend(self) -> bool:
        """Take one repeat, if there is one."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
