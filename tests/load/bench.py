"""`make bench`: the hot paths of a suite of its own, beside the floors measured for this stack.

Open-loop steps send at a constant rate and count from the moment a request was due, so that a
stall is seen by every request it delays (no coordinated omission). Ratios of one run can be
trusted, absolute figures of a shared machine less so.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.local_suite import LocalSuite, local_suite
from ketnoi.operator.api import Api
from ketnoi.operator.files import Part
from ketnoi.operator.importing import import_parts

RATE = 100
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


def text(random_: random.Random, words: int) -> str:
    return " ".join(random_.choices(PHRASES, k=words // PHRASE))


def supply(random_: random.Random, ref: str) -> dict[str, Any]:
    return {
        "title": text(random_, 12),
        "description": text(random_, 80),
        "language": "vi",
        "kind": "EQUIPMENT",
        "trl": random_.randint(4, 9),
        "country": random_.choice(["VN", "KR", "JP", "DE", "CN"]),
        "status": "PUBLISHED",
        "source": {"kind": "FEED", "system": "bench", "ref": ref},
    }


def demand(random_: random.Random, ref: str) -> dict[str, Any]:
    return {
        "title": text(random_, 12),
        "description": text(random_, 40),
        "language": "vi",
        "kind": "APPLICATION",
        "province": "19",
        "trl_min": random_.randint(1, 6),
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


class Bench:
    """One run against one suite."""

    def __init__(self, suite: LocalSuite, token: str, session: aiohttp.ClientSession) -> None:
        self.suite = suite
        self.session = session
        self.random = random.Random(20261122)
        self.direct = f"http://127.0.0.1:{suite.state['ports']['svc-demand']}"
        self.headers = {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, url: str, expected: int, **options: Any) -> Any:
        async with self.session.request(method, url, headers=self.headers, **options) as answer:
            body = await answer.json(content_type=None)
            if answer.status != expected:
                raise RuntimeError(f"{method} {url}: {answer.status} {body}")
            return body

    async def gateway_overhead(self, count: int) -> dict[str, Any]:
        """The same GET through the gateway and straight to the service, taken in turns."""
        created = await self.call(
            "POST", f"{self.suite.url}/v1/demands", 201, json={"title": "Máy sấy chè"}
        )
        path = f"/v1/demands/{created['id']}"
        taken: dict[str, list[float]] = {"gateway": [], "direct": []}
        for _ in range(count // 100):
            for name, base in (("gateway", self.suite.url), ("direct", self.direct)):
                taken[name] += await closed_loop(
                    100, lambda base=base: self.call("GET", base + path, 200)
                )
        through, straight = milliseconds(taken["gateway"]), milliseconds(taken["direct"])
        return {
            "through_gateway": through,
            "direct": straight,
            "added_p50_ms": round(through["p50_ms"] - straight["p50_ms"], 2),
            "added_p99_ms": round(through["p99_ms"] - straight["p99_ms"], 2),
        }

    async def requests_per_second(self, seconds: float) -> dict[str, float]:
        """Closed loop of 16 clients on one GET, generator on the same two cores."""
        created = await self.call(
            "POST", f"{self.suite.url}/v1/demands", 201, json={"title": "Máy sấy chè"}
        )
        rates = {}
        for name, base in (("gateway", self.suite.url), ("direct", self.direct)):
            done = 0
            until = time.perf_counter() + seconds

            async def client(base: str = base, until: float = until) -> None:
                nonlocal done
                while time.perf_counter() < until:
                    await self.call("GET", f"{base}/v1/demands/{created['id']}", 200)
                    done += 1

            await asyncio.gather(*(client() for _ in range(16)))
            rates[f"{name}_per_s"] = round(done / seconds)
        return rates

    async def durable_post(self, count: int) -> dict[str, float]:
        async def post(_: int) -> None:
            body = {
                key: value for key, value in demand(self.random, "-").items() if key != "status"
            }
            del body["source_ref"]
            await self.call("POST", f"{self.suite.url}/v1/demands", 201, json=body)

        return milliseconds(await open_loop(count, RATE, post))

    async def _pending(self, url: str) -> bool:
        async with self.session.get(url, headers=self.headers) as answer:
            # 503 is what an overloaded part answers: the list is not readable yet.
            return answer.status == 503 or (await answer.json())["pending"]

    async def until_matched(self, count: int) -> dict[str, float]:
        """From the moment the demand was due to be sent until its list is readable."""
        base = self.suite.url

        async def publish(number: int) -> None:
            ref = f"m{number}"
            body = demand(self.random, ref)
            created = await self.call(
                "PUT", f"{base}/v1/demands/by-ref/bench/{ref}", 201, json=body
            )
            url = f"{base}/v1/demands/{created['id']}/matches?limit=1"
            asked = time.perf_counter()
            while await self._pending(url):
                # The longer the queue, the rarer the questions: they must not be the load.
                await asyncio.sleep(max(0.004, 0.1 * (time.perf_counter() - asked)))

        return milliseconds(await open_loop(count, RATE, publish))


def imported(suite: LocalSuite, count: int, prefix: str) -> dict[str, float]:
    """Rows a second into svc-supply as published supplies, and until svc-matching has them."""
    random_ = random.Random(7)
    rows = [supply(random_, f"{prefix}{number}") for number in range(count)]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    environment = Environment.read(suite.environment(), Path.cwd())
    with Api.of(environment) as api:
        started = time.monotonic()
        outcome = import_parts(
            api, "supplies", [Part("bench.jsonl", content, 0)], Console(stderr=True), label="import"
        )
        imported_at = time.monotonic() - started
        last = api.json("GET", f"/v1/supplies/by-ref/bench/{prefix}{count - 1}")
        while api.json("GET", f"/v1/supplies/{last['id']}/matches?limit=1")["pending"]:
            time.sleep(0.02)
        while api.json("GET", "/v1/matching/state")["pending"]:
            time.sleep(0.02)
        followed_at = time.monotonic() - started
    if outcome.counts["created"] != count:
        raise RuntimeError(f"import: {outcome.counts}, {outcome.errors[:1]}")
    return {
        "rows_per_s": round(count / imported_at),
        "rows_per_s_until_matchable": round(count / followed_at),
        "n": count,
    }


def memory(suite: LocalSuite) -> dict[str, float]:
    """Proportional set size, MB, of the launcher and everything below it."""
    launcher = psutil.Process(suite.launcher_pid)
    parts: dict[str, float] = {}
    for process in (launcher, *launcher.children(recursive=True)):
        try:
            name = process.name()
            parts[name] = parts.get(name, 0.0) + process.memory_full_info().pss / 2**20
        except psutil.NoSuchProcess:
            continue
    whole = round(sum(parts.values()), 1)
    return {"whole_mb": whole} | {name: round(size, 1) for name, size in sorted(parts.items())}


async def measure(suite: LocalSuite, scale: float) -> dict[str, Any]:
    found: dict[str, Any] = {"memory_idle": memory(suite)}
    print("import ...", flush=True)
    found["import"] = await asyncio.to_thread(imported, suite, max(200, int(1000 * scale)), "s")
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        client_id, secret = suite.client("operator")
        login = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
        }
        async with session.post(f"{suite.url}/oauth/token", data=login) as answer:
            token = (await answer.json())["access_token"]
        bench = Bench(suite, token, session)
        await bench.gateway_overhead(200)  # warm
        for name, step in (
            ("gateway", lambda: bench.gateway_overhead(int(4000 * scale))),
            ("throughput", lambda: bench.requests_per_second(5 * scale)),
            ("durable_post_100_per_s", lambda: bench.durable_post(int(2000 * scale))),
            ("post_to_match_100_per_s", lambda: bench.until_matched(int(2000 * scale))),
        ):
            print(name, "...", flush=True)
            found[name] = await step()
    found["memory_after"] = memory(suite)
    found["import_large"] = await asyncio.to_thread(imported, suite, int(10_000 * scale), "t")
    return found


def start_times(directory: Path) -> tuple[float, float]:
    """Seconds to ready with an empty home, and again with that home."""
    taken = []
    for _ in range(2):
        started = time.monotonic()
        with local_suite(directory / "start"):
            taken.append(time.monotonic() - started)
    return taken[0], taken[1]


FLOORS = (
    ("start, empty home (s)", "start_cold_s", None, "≤ 60", "4.0"),
    ("start, warm (s)", "start_warm_s", None, "≤ 6", "4.2"),
    ("idle memory, PSS (MB)", "memory_idle", "whole_mb", "≤ 500", "350-480"),
    ("gateway adds, p50 (ms)", "gateway", "added_p50_ms", "≤ 0.4", "0.26"),
    ("gateway adds, p99 (ms)", "gateway", "added_p99_ms", "≤ 1.0", "-"),
    (
        "GET one direct, 16 clients (1/s)",
        "throughput",
        "direct_per_s",
        "≥ 4,000 a core",
        "8,900 no DB",
    ),
    (
        "GET one by gateway, 16 clients (1/s)",
        "throughput",
        "gateway_per_s",
        "≥ 5,000 a core",
        "7,100 no DB",
    ),
    ("durable POST at 100/s, p50 (ms)", "durable_post_100_per_s", "p50_ms", "≤ 3", "1.9"),
    ("durable POST at 100/s, p99 (ms)", "durable_post_100_per_s", "p99_ms", "≤ 8", "3.1"),
    (
        "POST → match at 100/s, p50 (ms)",
        "post_to_match_100_per_s",
        "p50_ms",
        "≤ 8 + scoring",
        "5.8",
    ),
    (
        "POST → match at 100/s, p99 (ms)",
        "post_to_match_100_per_s",
        "p99_ms",
        "≤ 20 + scoring",
        "8.9",
    ),
    (
        "import, published rows/s",
        "import_large",
        "rows_per_s",
        "≥ 5,000 (issue 3)",
        "260,000 raw COPY",
    ),
    ("… until matchable, rows/s", "import_large", "rows_per_s_until_matchable", "-", "-"),
)


def show(found: dict[str, Any]) -> None:
    table = Table(
        "what", "measured", "target", "floor seen", title="Ketnoi, two cores with the generator"
    )
    for label, key, part, target, floor in FLOORS:
        value = found[key] if part is None else found[key][part]
        table.add_row(label, f"{value:,}", target, floor)
    Console(width=110).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="0.1 for a quick look")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ketnoi-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o711)
        cold, warm = start_times(directory)
        with local_suite(directory / "home") as suite:
            found = asyncio.run(measure(suite, given.scale))
    found |= {
        "start_cold_s": round(cold, 2),
        "start_warm_s": round(warm, 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "scale": given.scale,
    }
    show(found)
    given.out.mkdir(exist_ok=True)
    path = given.out / f"bench-{found['at'].replace(':', '')}.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
