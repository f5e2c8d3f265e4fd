"""Faults under load on the cluster: processes, links, readers; each run ends with the judgement."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from faults.cluster import until
from faults.proxy import Way
from faults.trial import Trial, repeat
from shared.kernel.faults import EXIT_CODE, POINTS

pytestmark = pytest.mark.timeout(180)

DOWN = frozenset({Way.DOWN})
_OUTAGE_SPEED = 240
"""How much faster the clock of the reader runs in the long outage."""


async def judged(trial: Trial, **more) -> None:
    await trial.settle()
    report = await trial.judge(**more)
    print(report)
    assert not report.broken, str(report)


# --- crash points ------------------------------------------------------------------------------


async def _import(trial: Trial, rows: int) -> None:
    """Import so many demands of one file, whatever happens to the service meanwhile."""
    name = f"file{uuid4().hex[:6]}"
    lines = [
        {
            "title": f"Máy nhập khẩu mk{name}{number}",
            "description": "Nhập từ tệp",
            "language": "vi",
            "kind": "APPLICATION",
            "province": "01",
            "status": "DRAFT" if number % 10 else "PUBLISHED",
            "source_ref": {"system": name, "ref": str(number)},
        }
        for number in range(rows)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    job = await trial.load.upload("DEMANDS", "demands.jsonl", content)

    async def done() -> bool:
        _, found = await trial.load.read("operator", f"/v1/imports/{job['id']}")
        return bool(found) and found.get("state") == "DONE"

    await until(done, 30, "the import")
    _, found = await trial.load.read("operator", f"/v1/imports/{job['id']}")
    assert (found["created"], found["rejected"]) == (rows, 0), found


async def _work(trial: Trial, point: str) -> None:
    if point.startswith("import_"):
        await _import(trial, 2400)  # more than two chunks
    elif point == "idempotency_stored":
        await repeat(10, trial.load.post)
    elif point in ("epoch_freeze", "snapshot_part"):
        await repeat(40, trial.load.supply)
    else:
        await repeat(20, trial.load.publish)


PLACES = {
    "svc-demand": (
        "idempotency_stored",
        "outbox_committed",
        "relay_mid_batch",
        "relay_published:2",
        "import_before_commit",
        "import_committed",
    ),
    "svc-matching": ("consumer_before_commit", "consumer_committed", "list_writing"),
    "svc-reporting": ("consumer_before_commit", "consumer_committed"),
    "ledger": ("consumer_before_commit", "consumer_committed"),
}


async def test_a_process_may_end_at_any_crash_point(trial: Trial) -> None:
    await trial.start()
    await trial.load.offer()
    tried = set()
    for service, orders in PLACES.items():
        for order in orders:
            await _crash(trial, service, order)
            tried.add(order.partition(":")[0])
    for order in ("epoch_freeze", "snapshot_part:2"):
        await _crash(trial, "svc-matching", order)
        tried.add(order.partition(":")[0])
    assert tried | {"dead_letter_written"} == POINTS.keys()
    await judged(trial)


async def _crash(trial: Trial, service: str, order: str) -> None:
    start = trial.ledger.start if service == "ledger" else trial.cluster.start
    await trial.cluster.stop(service)
    await start(service, crash_at=order)

    async def again() -> None:
        assert await trial.cluster.ended(service, 30) == EXIT_CODE, order
        await start(service)

    started = time.monotonic()
    await asyncio.gather(_work(trial, order.partition(":")[0]), again())
    print(f"{service} ended at {order}, back after {time.monotonic() - started:.1f} s")


# --- links and pauses --------------------------------------------------------------------------


def _first_of_each() -> Callable[[bytes], bool]:
    """Say yes to the first answer about each marker."""
    seen: set[bytes] = set()

    def is_first(answer: bytes) -> bool:
        found = re.search(rb"mkload\d+", answer)
        if found is None or found[0] in seen:
            return False
        seen.add(found[0])
        return True

    return is_first


async def test_a_thousand_lost_answers_make_nothing_twice(trial: Trial) -> None:
    """Every request loses its first answer after the commit on each of two links."""
    await trial.start(ledger=False)
    await trial.load.post()
    links = [trial.cluster.links["client", "gateway"], trial.cluster.links["gateway", "svc-demand"]]
    lost_before = sum(link.lost for link in links)
    for link in links:
        link.lose = _first_of_each()
    started = time.monotonic()
    calls = await repeat(505, trial.load.post, at_once=16)
    trial.cluster.mend()
    lost = sum(link.lost for link in links) - lost_before
    print(f"{lost} answers lost in {time.monotonic() - started:.1f} s")
    assert lost >= 1000
    assert all(call.acknowledged for call in calls)
    # The same keys once more: the answers of the first time, to the byte.
    await asyncio.gather(*(trial.load.post(repeated=call) for call in calls[:50]))
    await judged(trial)


@asynccontextmanager
async def _paused(trial: Trial, *pids: int, seconds: float = 0.7) -> AsyncIterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def test_bad_links_and_pauses_only_delay(trial: Trial) -> None:
    await trial.start()
    await trial.load.offer()
    links, cluster = trial.cluster.links, trial.cluster
    before = await trial.evidence()
    async with trial.load.running(publishers=3):
        for ends in (
            ("svc-demand", "postgres"),
            ("svc-demand", "nats"),
            ("svc-matching", "postgres"),
            ("svc-matching", "nats"),
            ("svc-reporting", "postgres"),
            ("gateway", "svc-demand"),
            ("client", "gateway"),
        ):
            with links[ends].outage():
                await asyncio.sleep(0.4)
        for ends in (("svc-demand", "postgres"), ("gateway", "svc-supply"), ("ledger", "nats")):
            links[ends].hold(DOWN)
            await asyncio.sleep(0.4)
            links[ends].mend()
        for link in links.values():
            link.jitter = 0.01
        links["client", "gateway"].cut_after = 3000
        links["gateway", "svc-demand"].drip = 20_000
        await asyncio.sleep(1)
        cluster.mend()
        for pid in (
            cluster.pid("svc-demand"),
            cluster.pid("svc-matching"),
            cluster.servers["nats"].pid,
            cluster.servers["postgres"].pid,
        ):
            async with _paused(trial, pid):
                pass
        for name in ("nats", "postgres"):
            await cluster.servers[name].stop()
            await asyncio.sleep(0.2)
            await cluster.servers[name].start()
    await judged(trial, earlier=before)


async def test_a_part_that_is_silent_is_named_as_missing(trial: Trial) -> None:
    await trial.start(ledger=False)
    call = await trial.load.publish()
    await trial.settle()
    path = f"/v1/demands/{call.id}/overview"
    _, whole = await trial.load.read("operator", path)
    assert (whole["partial"], whole["missing"]) == (False, [])
    trial.cluster.links["gateway", "svc-matching"].hold()
    answer, part = await trial.load.read("operator", path)
    assert answer.status == 200
    assert (part["partial"], part["missing"], part["matches"]) == (True, ["matching"], None)
    with trial.cluster.links["gateway", "svc-demand"].outage():
        answer, refusal = await trial.load.read("operator", path)
    assert (answer.status, answer.problem) == (503, True), refusal


# --- readers -----------------------------------------------------------------------------------


async def test_a_zombie_reader_has_no_second_effect(trial: Trial) -> None:
    """It sleeps for longer than the broker waits, another does its work, and it wakes."""
    await trial.start()
    await trial.load.publish()
    await trial.settle()
    os.kill(trial.cluster.pid("ledger"), signal.SIGSTOP)
    await repeat(40, trial.load.publish)
    await trial.ledger.start("ledger-2")
    await trial.settle()
    os.kill(trial.cluster.pid("ledger"), signal.SIGCONT)
    await repeat(20, trial.load.publish)
    await judged(trial)


async def _events(trial: Trial, number: int, poisoned: int = 0) -> frozenset[str]:
    """Put events into the outbox of svc-demand; return the ids of every n-th, poisoned one."""
    rows = []
    for each in range(number):
        is_poison = poisoned and each % poisoned == poisoned // 2
        data = {"title": "poison" if is_poison else "chè", "status": "DRAFT"}
        rows.append((uuid4(), uuid4(), json.dumps(data).encode(), bool(is_poison)))
    connection = await asyncpg.connect(trial.cluster.database_url)
    await connection.executemany(
        "INSERT INTO demand.outbox (created_at, event_id, type, aggregate_id, aggregate_version,"
        " data, db_epoch) VALUES (now(), $1, 'demand.request.probed.v1', $2, 1, $3, 1)",
        [row[:3] for row in rows],
    )
    await connection.close()
    return frozenset(str(row[0]) for row in rows if row[3])


async def _ledger(trial: Trial, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(trial.cluster.database_url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_poison_is_put_aside_and_its_neighbours_pass(trial: Trial) -> None:
    """One event in a thousand; the ledger ends once between dead letter and refusal, too."""
    await trial.cluster.reset()
    await trial.ledger.prepare()
    await trial.ledger.start(speed=60, crash_at="dead_letter_written")
    poisoned = await _events(trial, 3000, poisoned=1000)
    await trial.cluster.start("svc-demand")

    async def buried() -> bool:
        found = await _ledger(
            trial, "SELECT message_id FROM ledger.dead_letter WHERE state = 'OPEN'"
        )
        return {row["message_id"] for row in found} == poisoned

    assert await trial.cluster.ended("ledger", 30) == EXIT_CODE
    await trial.ledger.start(speed=60)
    await until(buried, 30, "dead letters")
    rows = await _ledger(
        trial,
        "SELECT e.event_id::text, e.at - o.created_at AS late FROM ledger.entry e"
        " JOIN demand.outbox o USING (event_id)",
    )
    assert len(rows) == len({row["event_id"] for row in rows}) == 3000 - len(poisoned)
    slowest = max(row["late"].total_seconds() for row in rows)
    print(f"3,000 events, {len(poisoned)} dead letters, slowest neighbour {slowest:.1f} s")
    assert slowest < 30


async def test_an_outage_of_half_an_hour_fills_no_dead_letters(trial: Trial) -> None:
    """The reader's clock is injected: it lives through 30 minutes without its database."""
    await trial.cluster.reset()
    await trial.ledger.prepare()
    await trial.ledger.start(speed=_OUTAGE_SPEED)
    await trial.cluster.start("svc-demand")
    await _events(trial, 10)

    async def noted(number: int) -> bool:
        rows = await _ledger(trial, "SELECT count(*) AS n FROM ledger.entry")
        return rows[0]["n"] == number

    await until(lambda: noted(10), 20, "the first events")
    with trial.cluster.links["ledger", "postgres"].outage():
        await _events(trial, 200)
        await asyncio.sleep(1800 / _OUTAGE_SPEED)
    os.kill(trial.cluster.pid("ledger"), signal.SIGUSR1)  # the clock is the world's again
    await until(lambda: noted(210), 20, "the backlog")
    assert await _ledger(trial, "SELECT message_id, error FROM ledger.dead_letter") == []
