"""How long something takes, and how much memory something holds."""

import gc
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import psutil

T = TypeVar("T")
Figures = dict[str, Any]


def say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    done = work()
    return done, time.perf_counter() - started


def each(work: Callable[[Any], object], over: Iterable[Any], *, warm: int = 3) -> list[float]:
    """Return the seconds that each takes; the first few are done once before."""
    over = list(over)
    for one in over[:warm]:
        work(one)
    return [timed(lambda one=one: work(one))[1] for one in over]


def milliseconds(seconds: Iterable[float]) -> Figures:
    taken = 1000 * np.array(list(seconds))
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50_ms": round(float(p50), 4), "p99_ms": round(float(p99), 4), "n": len(taken)}


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
