"""`make bench`: the hot paths of a suite of its own, beside the floors of the same run.

Ratios of one run can be trusted, absolute figures of a shared machine less so. Rates «a core»
come from processor time, because the generator has to live on the same cores.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import nats
import psutil
from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.local_suite import LocalSuite, local_suite
from ketnoi.operator.api import Api
from ketnoi.operator.files import parts_of
from ketnoi.operator.importing import import_parts
from load import events, floors
from load.generator import Cpu, closed_loop, demand, draft, flood, milliseconds, open_loop, supply

RATE = 100
CLIENTS = 32
PATIENCE_SECONDS = 30
EPOCH_SECONDS = 4


class Bench:
    """One run against one suite."""

    def __init__(self, suite: LocalSuite, token: str, session: aiohttp.ClientSession) -> None:
        self.suite = suite
        self.session = session
        self.random = random.Random(20261122)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.ports = {
            "gateway": int(suite.url.rpartition(":")[2]),
            "direct": suite.state["ports"]["svc-demand"],
        }

    async def call(self, method: str, path: str, expected: int, **options: Any) -> Any:
        url = path if path.startswith("http") else self.suite.url + path
        async with self.session.request(method, url, headers=self.headers, **options) as answer:
            body = await answer.json(content_type=None)
            if answer.status != expected:
                raise RuntimeError(f"{method} {url}: {answer.status} {body}")
            return body

    async def gateway_overhead(self, count: int) -> dict[str, Any]:
        """The same GET through the gateway and straight to the service, taken in turns."""
        created = await self.call("POST", "/v1/demands", 201, json=draft(self.random))
        taken: dict[str, list[float]] = {"gateway": [], "direct": []}
        for _ in range(max(count // 100, 2)):
            for name, port in self.ports.items():
                url = f"http://127.0.0.1:{port}/v1/demands/{created['id']}"
                taken[name] += await closed_loop(100, lambda url=url: self.call("GET", url, 200))
        through, straight = milliseconds(taken["gateway"]), milliseconds(taken["direct"])
        return {
            "through_gateway": through,
            "direct": straight,
            "added_p50_ms": round(through["p50_ms"] - straight["p50_ms"], 2),
            "added_p99_ms": round(through["p99_ms"] - straight["p99_ms"], 2),
        }

    async def reads(self, seconds: float) -> dict[str, Any]:
        """Reads as fast as they are answered: rates, and what one costs in each process."""
        for _ in range(60):
            created = await self.call("POST", "/v1/demands", 201, json=draft(self.random))
        found: dict[str, Any] = {}
        paths = {"one": f"/v1/demands/{created['id']}", "page": "/v1/demands?limit=50"}
        for what, path in paths.items():
            for name, port in self.ports.items():
                with Cpu(self.suite.launcher_pid) as cpu:
                    done = await flood(port, path, self.headers, seconds)
                service = cpu.microseconds(done, "svc-demand", "postgres")
                gateway = cpu.microseconds(done, "gateway")
                found[f"{what}_{name}"] = {
                    "per_s": round(done / seconds),
                    "service_per_s_per_core": round(1e6 / service),
                    "gateway_per_s_per_core": round(1e6 / gateway) if gateway else None,
                    "us": cpu.each(done),
                }
        return found

    async def durable_post(self, count: int) -> dict[str, Any]:
        async def post(_: int) -> None:
            await self.call("POST", "/v1/demands", 201, json=draft(self.random))

        with Cpu(self.suite.launcher_pid) as cpu:
            taken = milliseconds(await open_loop(count, RATE, post))
        return taken | {"us": cpu.each(count)}

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[dict[str, asyncio.Event]]:
        """Hear of lists as they are announced: asking again and again would be the load."""
        heard: dict[str, asyncio.Event] = {}

        def note(announced: dict[str, Any]) -> None:
            heard.setdefault(announced["id"], asyncio.Event()).set()

        async with self.lists(note):
            yield heard

    @asynccontextmanager
    async def lists(self, note: Callable[[dict[str, Any]], None]) -> AsyncIterator[None]:
        """Call `note` with every list that is announced."""
        password = json.loads((self.suite.home / "credentials.json").read_text())["nats"]["admin"]
        address = f"nats://admin:{password}@127.0.0.1:{self.suite.state['ports']['nats']}"

        async def read(message: Any) -> None:
            note(json.loads(message.data))

        client = await nats.connect(address)
        await client.subscribe("matching.list.updated.v1.*", cb=read)
        try:
            yield
        finally:
            await client.close()

    async def until_matched(self, count: int, rate: float, label: str) -> dict[str, Any]:
        """From the moment the demand was due to be sent until its list has been read."""
        async with self.listening() as heard:

            async def publish(number: int) -> None:
                ref = f"{label}-{number}"
                body = demand(self.random, ref)
                made = await self.call("PUT", f"/v1/demands/by-ref/bench/{ref}", 201, json=body)
                announced = heard.setdefault(made["id"], asyncio.Event())
                await asyncio.wait_for(announced.wait(), PATIENCE_SECONDS)
                path = f"/v1/demands/{made['id']}/matches?limit=1"
                if (await self.call("GET", path, 200))["pending"]:
                    raise RuntimeError("a list was announced that cannot be read")

            with Cpu(self.suite.launcher_pid) as cpu:
                taken = milliseconds(await open_loop(count, rate, publish))
        return taken | {"us": cpu.each(count)}

    async def chain(self, count: int, label: str) -> dict[str, Any]:
        """As many demands as go through: accepted, and all of them ranked."""
        numbers = iter(range(count))

        async def client() -> None:
            for number in numbers:
                ref = f"{label}-{number}"
                body = demand(self.random, ref)
                await self.call("PUT", f"/v1/demands/by-ref/bench/{ref}", 201, json=body)

        known = (await self.at_rest())["open_demands"]
        with Cpu(self.suite.launcher_pid) as cpu:
            started = time.perf_counter()
            await asyncio.gather(*(client() for _ in range(CLIENTS)))
            accepted = time.perf_counter() - started
            await self.at_rest(known + count)
            matched = time.perf_counter() - started
        return {
            "accepted_per_s": round(count / accepted),
            "matched_per_s": round(count / matched),
            "n": count,
            "us": cpu.each(count),
        }

    async def at_rest(self, demands: int = 0) -> dict[str, Any]:
        """Wait until so many demands have arrived and no list waits to be ranked."""
        while True:
            state = await self.call("GET", "/v1/matching/state", 200)
            if not state["pending"] and state["open_demands"] >= demands:
                return dict(state)
            await asyncio.sleep(0.05)


def imported(suite: LocalSuite, count: int, prefix: str) -> dict[str, Any]:
    """Rows a second into svc-supply as published supplies, and until svc-matching has them.

    The file goes as `ketnoi import` sends it, in parts.
    """
    dice = random.Random(7)
    rows = [supply(dice, f"{prefix}{number}") for number in range(count)]
    path = suite.home / f"bench-{prefix}.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    environment = Environment.read(suite.environment(), Path.cwd())
    with Api.of(environment) as api, Cpu(suite.launcher_pid) as cpu:
        started = time.monotonic()
        outcome = import_parts(
            api, "supplies", parts_of(path), Console(stderr=True), label="import"
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
    service = cpu.microseconds(count, "svc-supply")
    return {
        "rows_per_s": round(count / imported_at),
        "rows_per_s_per_core": round(1e6 / service) if service else None,
        "rows_per_s_until_matchable": round(count / followed_at),
        "n": count,
        "us": cpu.each(count),
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


@asynccontextmanager
async def connected(suite: LocalSuite) -> AsyncIterator[Bench]:
    """Open connections as the operator."""
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
        yield Bench(suite, token, session)


async def measure(suite: LocalSuite, scale: float) -> dict[str, Any]:
    found: dict[str, Any] = {"memory_idle": memory(suite)}
    say("import")
    found["import"] = await asyncio.to_thread(imported, suite, 1000, "s")
    async with connected(suite) as bench:
        await bench.gateway_overhead(200)  # warm
        await bench.until_matched(50, 20, "warm")
        for name, step in (
            ("gateway", lambda: bench.gateway_overhead(int(4000 * scale))),
            ("reads", lambda: bench.reads(5 * scale)),
            ("durable_post", lambda: bench.durable_post(int(2000 * scale))),
            ("post_to_match_10_per_s", lambda: bench.until_matched(int(300 * scale), 10, "slow")),
            ("post_to_match", lambda: bench.until_matched(int(2000 * scale), RATE, "fast")),
            ("chain_1k", lambda: bench.chain(int(3000 * scale), "chain")),
        ):
            say(name)
            found[name] = await step()
        found["memory_after"] = memory(suite)
        say("import_large")
        large = int(15_000 * scale)
        found["import_large"] = await asyncio.to_thread(imported, suite, large, "t")
        await asyncio.sleep(EPOCH_SECONDS)  # what was imported opens an epoch once it is quiet
        await bench.at_rest()
        say("chain_16k")
        found["chain_16k"] = await bench.chain(int(1500 * scale), "large")
    return found


def say(what: str) -> None:
    print(f"{what} ...", flush=True)


def start_times(directory: Path) -> tuple[float, float]:
    """Seconds to ready with an empty home, and again with that home."""
    taken = []
    for _ in range(2):
        started = time.monotonic()
        with local_suite(directory / "start"):
            taken.append(time.monotonic() - started)
    return taken[0], taken[1]


Reading = Callable[[dict[str, Any]], Any]


def at(*path: str) -> Reading:
    """Read a figure, or a dash where the run has none."""

    def read(found: dict[str, Any]) -> Any:
        value: Any = found
        for part in path:
            value = value[part] if value is not None else None
        return "-" if value is None else value

    return read


def both(*path: str) -> Reading:
    p50, p99 = at(*path, "p50_ms"), at(*path, "p99_ms")
    return lambda found: f"{p50(found)} / {p99(found)}"


def nothing(_: dict[str, Any]) -> str:
    return ""


WEB = at("floors", "web", "per_s_per_core")
INSERT = both("floors", "storage", "insert")
PUBLISH = both("floors", "storage", "publish")
ROWS: tuple[tuple[str, Reading, str, Reading], ...] = (
    ("start, empty home (s)", at("start_cold_s"), "≤ 60", nothing),
    ("start, warm (s)", at("start_warm_s"), "≤ 6", nothing),
    ("idle memory, PSS (MB)", at("memory_idle", "whole_mb"), "≤ 500", nothing),
    ("gateway adds, p50 (ms)", at("gateway", "added_p50_ms"), "≤ 0.4", nothing),
    ("gateway adds, p99 (ms)", at("gateway", "added_p99_ms"), "≤ 1.0", nothing),
    (
        "gateway pass-through (1/s a core)",
        at("reads", "one_gateway", "gateway_per_s_per_core"),
        "≥ 5,000",
        WEB,
    ),
    (
        "GET one, with database (1/s a core)",
        at("reads", "one_direct", "service_per_s_per_core"),
        "≥ 4,000",
        WEB,
    ),
    (
        "page of 50, with database (1/s a core)",
        at("reads", "page_direct", "service_per_s_per_core"),
        "≥ 2,500",
        WEB,
    ),
    ("durable POST at 100/s, p50 / p99 (ms)", both("durable_post"), "≤ 3 / 8", INSERT),
    (
        "commit → stream ack at 100/s, p50 / p99 (ms)",
        both("events", "commit_to_ack"),
        "≤ 1.5 / 4",
        PUBLISH,
    ),
    ("outbox drain (events/s)", at("events", "drain_per_s"), "≥ 12,000", nothing),
    ("consumer (events/s)", at("events", "consume_per_s"), "-", nothing),
    (
        "lost store, 100,000 events back (s)",
        at("events", "lost_store_s_per_100k"),
        "≤ 300",
        nothing,
    ),
    (
        "POST → match read at 10/s, p50 / p99 (ms)",
        both("post_to_match_10_per_s"),
        "≤ 8 / 20 + scoring",
        nothing,
    ),
    (
        "POST → match read at 100/s, p50 / p99 (ms)",
        both("post_to_match"),
        "≤ 8 / 20 + scoring",
        nothing,
    ),
    (
        "demands/s matched, 1,000 supplies",
        at("chain_1k", "matched_per_s"),
        "≥ 400",
        nothing,
    ),
    ("demands/s matched, 16,000 supplies", at("chain_16k", "matched_per_s"), "-", nothing),
    ("import, published rows/s", at("import_large", "rows_per_s"), "≥ 5,000", nothing),
    (
        "… of svc-supply alone (rows/s a core)",
        at("import_large", "rows_per_s_per_core"),
        "-",
        nothing,
    ),
    (
        "… until matchable, rows/s",
        at("import_large", "rows_per_s_until_matchable"),
        "-",
        nothing,
    ),
)


def show(found: dict[str, Any]) -> None:
    title = "Ketnoi, two cores with the generator; the floor is of the same run"
    table = Table("what", "measured", "target", "floor", title=title)
    for label, measured, target, floor in ROWS:
        table.add_row(label, _shown(measured(found)), target, _shown(floor(found)))
    console = Console(width=110)
    console.print(table)
    for step in ("durable_post", "post_to_match", "chain_1k", "chain_16k", "import_large"):
        console.print(f"{step}, µs of processor time each: {found[step]['us']}")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:,}"


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
    say("events")
    found["events"] = asyncio.run(
        events.measure(int(50_000 * given.scale), int(1000 * given.scale))
    )
    say("floors")
    found["floors"] = {
        "web": asyncio.run(floors.web(5 * given.scale)),
        "storage": asyncio.run(floors.storage(int(1000 * given.scale))),
    }
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
