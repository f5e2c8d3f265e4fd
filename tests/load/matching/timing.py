"""How long something takes, and how much memory something holds.

Time is taken twice: by the wall, which is what somebody waits, and of the processor, which other
work on the same machine changes far less.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import psutil
from numpy.typing import NDArray

T = TypeVar("T")
Figures = dict[str, Any]
Seconds = NDArray[np.float64]
"""By the wall, and of this process's processor time."""


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def _now() -> Seconds:
    return np.array([time.perf_counter(), time.process_time()])


def timed(work: Callable[[], T]) -> tuple[T, Seconds]:
    started = _now()
    done = work()
    return done, _now() - started


def each(work: Callable[[Any], object], over: Iterable[Any], *, warm: int = 3) -> list[Seconds]:
    """Return the seconds that each takes; the first few are done once before."""
    over = list(over)
    for one in over[:warm]:
        work(one)
    return [timed(lambda one=one: work(one))[1] for one in over]


def milliseconds(seconds: Sequence[Seconds] | Sequence[float]) -> Figures:
    """Return the percentiles; of the processor's time only where it was taken."""
    taken = 1000 * np.array(seconds).reshape(len(seconds), -1)
    p50, p99 = np.percentile(taken[:, 0], [50, 99])
    found = {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4), "n": len(taken)}
    if taken.shape[1] > 1:
        found["cpu_p50_ms"] = round(float(np.median(taken[:, 1])), 4)
    return found


def proportional_megabytes() -> float:
    """Memory of this process, shared pages by their share."""
    gc.collect()
    return float(psutil.Process().memory_full_info().pss / 2**20)


def array_megabytes(root: object) -> float:
    """Bytes of all arrays that can be reached from `root`, each buffer once, mapped ones too."""
    seen: set[int] = set()
    buffers: dict[int, int] = {}
    waiting: list[Any] = [root]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, (type, type(sys), type(timed))):
            continue
        seen.add(id(found))
        if isinstance(found, np.ndarray):
            while isinstance(found.base, np.ndarray):
                found = found.base
            buffers[id(found)] = found.nbytes
        else:
            waiting += gc.get_referents(found)
    return round(sum(buffers.values()) / 2**20, 1)
