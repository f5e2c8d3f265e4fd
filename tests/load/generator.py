"""What the benchmarks send, and how: at a constant rate, or as fast as answers come.

Open-loop calls count from the moment they were due, so that a stall is seen by every call that
it delays (no coordinated omission).
"""

import asyncio
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import psutil

PHRASE = 6


def _phrases() -> list[str]:
    """Cut the demo set's Vietnamese texts into phrases: real words in their real frequencies."""
    lines = files("ketnoi").joinpath("data/demo/supplies.jsonl").read_text("utf-8").splitlines()
    texts = [row["description"] for row in map(json.loads, lines) if row["language"] == "vi"]
    words = [text.split() for text in texts]
    return [
        " ".join(text[start : start + PHRASE])
        for text in words
        for start in range(0, len(text) - PHRASE, 2)
    ]


PHRASES = _phrases()


def text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(PHRASES, k=words // PHRASE))


def supply(dice: random.Random, ref: str) -> dict[str, Any]:
    return {
        "title": text(dice, 12),
        "description": text(dice, 80),
        "language": "vi",
        "kind": "EQUIPMENT",
        "trl": dice.randint(4, 9),
        "country": dice.choice(["VN", "KR", "JP", "DE", "CN"]),
        "status": "PUBLISHED",
        "source": {"kind": "FEED", "system": "bench", "ref": ref},
    }


def draft(dice: random.Random) -> dict[str, Any]:
    return {
        "title": text(dice, 12),
        "description": text(dice, 40),
        "language": "vi",
        "kind": "APPLICATION",
        "province": "19",
        "trl_min": dice.randint(1, 6),
    }


def demand(dice: random.Random, ref: str) -> dict[str, Any]:
    return draft(dice) | {
        "status": "PUBLISHED",
        "source_ref": {"system": "bench", "ref": ref},
    }


def milliseconds(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 2),
        "p99_ms": round(1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2),
        "n": len(ordered),
    }


async def closed_loop(count: int, call: Callable[[], Awaitable[None]]) -> list[float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - started)
    return taken


async def open_loop(count: int, rate: float, call: Callable[[int], Awaitable[None]]) -> list[float]:
    """Start `count` calls at a constant rate; each counts from when it was due."""
    loop = asyncio.get_running_loop()
    started = loop.time() + 0.1

    async def one(number: int) -> float:
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - loop.time()))
        await call(number)
        return loop.time() - due

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def flood(
    port: int, path: str, headers: dict[str, str], seconds: float, clients: int = 16
) -> int:
    """Ask for one path as fast as it is answered, by a client that costs little itself."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench", *(f"{k}: {v}" for k, v in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    until = time.perf_counter() + seconds
    done = 0

    async def client() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not head.startswith(b"http/1.1 200"):
                raise RuntimeError(head.decode())
            _, _, rest = head.partition(b"content-length:")
            await reader.readexactly(int(rest.partition(b"\r\n")[0]))
            done += 1
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return done


class Cpu:
    """Seconds of processor time by process name, below one process; on exit as `spent`."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self.spent: dict[str, float] = {}

    def __enter__(self) -> "Cpu":
        self._before = self._read()
        return self

    def __exit__(self, *_: object) -> None:
        after = self._read()
        for (_, name), seconds in after.items():
            self.spent[name] = self.spent.get(name, 0.0) + seconds
        for (_, name), seconds in self._before.items():
            self.spent[name] = self.spent.get(name, 0.0) - seconds

    def _read(self) -> dict[tuple[int, str], float]:
        found = {}
        for process in (self._root, *self._root.children(recursive=True)):
            try:
                times = process.cpu_times()
                found[process.pid, process.name()] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return found

    def microseconds(self, count: int, *names: str) -> int:
        """Return what one of `count` cost, in the named processes."""
        return round(sum(self.spent.get(name, 0.0) for name in names) / max(count, 1) * 1e6)

    def each(self, count: int) -> dict[str, int]:
        """Return what one of `count` cost, process by process."""
        return {
            name: cost for name in sorted(self.spent) if (cost := self.microseconds(count, name))
        }
