"""When the frozen statistics have grown too old."""

DRIFT = 0.2
SMALL = 32


def is_time_to_freeze(live: int, frozen: int, *, is_quiet: bool) -> bool:
    """Whether the live supplies differ so much from the frozen ones that a new epoch pays.

    A drift of a fifth waits until the input pauses, so that an import does not rank everything
    again and again; a doubling does not wait.
    """
    if live >= 2 * max(frozen, SMALL):
        return True
    return abs(live - frozen) > DRIFT * frozen and is_quiet
