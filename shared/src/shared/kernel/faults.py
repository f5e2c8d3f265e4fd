"""Crash points: named places where a test lets a process end at once, as `kill -9` would there.

KETNOI_CRASH_AT arms one: `relay_published` at the first passage, `relay_published:3` at the third.
Unset, as it always is outside tests, a point costs a look into an empty dictionary.
"""

import os
from functools import cache

VARIABLE = "KETNOI_CRASH_AT"
EXIT_CODE = 137
"""What a shell reports of a process that SIGKILL ended."""

POINTS = {
    "idempotency_stored": "the answer is stored with its effect, nothing is committed",
    "outbox_committed": "change and event are committed, the relay is not woken",
    "relay_mid_batch": "a part of a batch is on its way to the broker",
    "relay_published": "the broker has the events, the outbox does not say so",
    "consumer_before_commit": "inbox row and effect are written, not committed",
    "consumer_committed": "the effect is committed, the broker has no acknowledgement",
    "dead_letter_written": "the dead letter is committed, the broker still hands the event out",
    "import_before_commit": "a chunk of a file is written, not committed",
    "import_committed": "a chunk of a file is committed, the next is not begun",
    "list_writing": "some tables of a ranking are written, not committed",
    "snapshot_part": "1: the arrays of a snapshot are there, 2: all of it, without its name",
    "epoch_freeze": "the new statistics are written, not committed",
}


def checked(order: str) -> str:
    """Return `name`, `name:n-th` or nothing unchanged; ValueError for a point that is not there."""
    if order:
        _parsed(order)
    return order


def crash_point(name: str) -> None:
    """End the process here if it was told to; no clean-up of any kind happens."""
    left = _armed()
    if left and name in left:
        left[name] -= 1
        if left[name] <= 0:
            os._exit(EXIT_CODE)


@cache
def _armed() -> dict[str, int]:
    return dict([_parsed(order)]) if (order := os.environ.get(VARIABLE)) else {}


def _parsed(order: str) -> tuple[str, int]:
    name, _, nth = order.partition(":")
    if name not in POINTS:
        raise ValueError(f"no crash point {name!r}; there are {', '.join(POINTS)}")
    if not (nth or "1").isdecimal() or int(nth or 1) < 1:
        raise ValueError(f"{order!r} is not <point> or <point>:<n-th passage>")
    return name, int(nth or 1)
