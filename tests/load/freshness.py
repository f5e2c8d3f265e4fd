"""`make bench-freshness`: how soon lists know of a new supply, and serve again after a kill.

A suite of its own with many supplies and open demands. New supplies come at a constant rate, each
about what an open demand asks for; measured is the time from when it was due to be sent until the
gateway shows it in that demand's list. Then svc-matching is killed again and again; measured is
the time until its index answers, and until a demand that is published meanwhile has its list.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from ketnoi.local_suite import LocalSuite, local_suite
from load.bench import EPOCH_SECONDS, PATIENCE_SECONDS, Bench, connected, imported, memory, say
from load.generator import Cpu, demand, milliseconds, open_loop, supply

RATE = 20
KILLS = 5


async def arrivals(bench: Bench, demands: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """Publish supplies at a constant rate, each with the words of an open demand."""
    shown: dict[str, asyncio.Event] = {}
    lists = 0

    def note(announced: dict[str, Any]) -> None:
        nonlocal lists
        lists += 1
        for item in announced["items"]:
            shown.setdefault(item["supply_id"], asyncio.Event()).set()

    async def publish(number: int) -> None:
        wanted = demands[number % len(demands)]
        ref = f"new-{number}"
        body = supply(bench.random, ref) | {
            "title": wanted["title"],
            "description": wanted["description"],
            "trl": 9,
        }
        made = await bench.call("PUT", f"/v1/supplies/by-ref/bench/{ref}", 201, json=body)
        announced = shown.setdefault(made["id"], asyncio.Event())
        await asyncio.wait_for(announced.wait(), PATIENCE_SECONDS)
        listed = await bench.call("GET", f"/v1/demands/{wanted['id']}/matches", 200)
        if made["id"] not in [each["supply_id"] for each in listed["items"]]:
            raise RuntimeError(f"{ref} is announced and not in the list of {wanted['id']}")

    async with bench.lists(note):
        with Cpu(bench.suite.launcher_pid) as cpu:
            taken = milliseconds(await open_loop(count, RATE, publish))
    return taken | {"lists_each": round(lists / count, 1), "us": cpu.each(count)}


async def after_a_kill(bench: Bench) -> dict[str, float]:
    """Kill svc-matching; return the seconds until its index answers, and until it ranks."""
    ref = f"killed-{time.time_ns()}"
    wanted = demand(bench.random, ref)
    asked = {key: wanted[key] for key in ("title", "description", "language")}
    os.kill(bench.suite.state["processes"]["svc-matching"], signal.SIGKILL)
    started = time.perf_counter()
    made = await bench.call("PUT", f"/v1/demands/by-ref/bench/{ref}", 201, json=wanted)

    async def until(path: str, body: dict[str, Any] | None = None) -> float:
        method = "GET" if body is None else "POST"
        while time.perf_counter() - started < PATIENCE_SECONDS:
            url, headers = bench.suite.url + path, bench.headers
            try:
                async with bench.session.request(method, url, headers=headers, json=body) as answer:
                    found = await answer.json(content_type=None)
                    if answer.status == 200 and not found.get("pending"):
                        return time.perf_counter() - started
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.02)
        raise TimeoutError(path)

    serving, ranked = await asyncio.gather(
        until("/v1/match-preview", {"demand": asked}), until(f"/v1/demands/{made['id']}/matches")
    )
    return {"serving_s": round(serving, 2), "ranked_s": round(ranked, 2)}


async def measure(suite: LocalSuite, supplies: int, open_demands: int, count: int) -> Any:
    say(f"import of {supplies:,} supplies")
    found: dict[str, Any] = {"import": await asyncio.to_thread(imported, suite, supplies, "s")}
    async with connected(suite) as bench:
        await asyncio.sleep(EPOCH_SECONDS)
        dice = random.Random(5)
        demands = []
        say(f"{open_demands:,} demands")
        for number in range(open_demands):
            ref = f"open-{number}"
            body = demand(dice, ref)
            path = f"/v1/demands/by-ref/bench/{ref}"
            demands.append(body | await bench.call("PUT", path, 201, json=body))
        await bench.at_rest(open_demands)
        say(f"{count:,} new supplies, {RATE}/s")
        found["arrivals"] = await arrivals(bench, demands, count)
        await bench.at_rest()
        say(f"{KILLS} kills of svc-matching")
        found["kills"] = []
        for _ in range(KILLS):
            found["kills"].append(await after_a_kill(bench))
            await bench.at_rest()
            await asyncio.sleep(EPOCH_SECONDS)
        found["memory"] = memory(suite)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supplies", type=int, default=22_000)
    parser.add_argument("--demands", type=int, default=2_000)
    parser.add_argument("--count", type=int, default=600, help=f"new supplies, {RATE} a second")
    parser.add_argument("--out", type=Path, default=Path("bench-results"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ketnoi-bench-") as folder:
        Path(folder).chmod(0o711)
        with local_suite(Path(folder) / "home") as suite:
            found = asyncio.run(measure(suite, given.supplies, given.demands, given.count))
    found["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    arrived = found["arrivals"]
    print(
        f"new supply → in the list: p50 {arrived['p50_ms']} ms, p99 {arrived['p99_ms']} ms (≤ 100)"
    )
    print(f"lists changed by each: {arrived['lists_each']}; µs each: {arrived['us']}")
    print(f"after a kill (≤ 5 s): {found['kills']}")
    given.out.mkdir(exist_ok=True)
    path = given.out / f"freshness-{found['at'].replace(':', '')}.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
