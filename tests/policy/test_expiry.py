"""Expiry by two workers side by side, through restarts: every row once, and every row."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from ketnoi.local import LocalServers
from shared.db import Database
from shared.outbox import Transactions, periodic

Headers = dict[str, str]

DUE, NOT_DUE = "2097-03-01", "2097-03-02"
OVER = datetime(2097, 3, 1, 17, 0, tzinfo=UTC)  # 2 March has begun in Vietnam
ROWS = 240

# A worker as a process of its own. "within" stops before the commit, "between" after it.
WORKER = """
import asyncio, importlib, os, sys
from datetime import datetime
from shared.db import Database
from shared.outbox import Transactions

name, when, moment = sys.argv[1:]
expiry = importlib.import_module(f"svc_{name}.usecases.{name}_expiry")
tables = importlib.import_module(f"svc_{name}.storage.tables")
expire = getattr(expiry, {"demand": "expire_demands", "supply": "expire_supplies"}[name])

async def halt():
    print("now", flush=True)
    await asyncio.sleep(600)

if when == "within":
    record = expiry.record
    async def record_and_halt(*args):
        await record(*args)
        await halt()
    expiry.record = record_and_halt

async def main():
    database = Database(os.environ["URL"], pool_size=1)
    clock = lambda: datetime.fromisoformat(moment)
    transactions = Transactions(database, tables.messaging, source="ketnoi/test", clock=clock)
    await expire(transactions)
    await halt()

asyncio.run(main())
"""


@pytest.fixture
def planter(authorization: Any, unique: str) -> Headers:
    return authorization("operator", f"expiring-{unique}")


@asynccontextmanager
async def workers(kind: Any, servers: LocalServers, count: int) -> AsyncIterator[Any]:
    """Some workers' transactions, each on connections of its own, at the same late hour."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            database = Database(servers.database_url(f"svc-{kind.name}"), pool_size=2)
            stack.push_async_callback(database.close)
            tables = kind.transactions.tables
            found.append(Transactions(database, tables, source="ketnoi/test", clock=lambda: OVER))
        yield found


async def planted(kind: Any, planter: Headers, servers: LocalServers) -> tuple[set[str], set[str]]:
    """Rows whose day is over, in both live statuses, and rows whose day is not."""
    async with workers(kind, servers, 1) as (alone,):
        while await kind.expire(alone):  # what other tests have left
            pass
    due, rest = set(), set()
    for number in range(ROWS):
        status = ("PUBLISHED", "ON_HOLD")[number % 2]
        day = NOT_DUE if number % 13 == 0 else DUE
        answer = await kind.client.put(
            f"{kind.path}/by-ref/expiring/{number}",
            json={**kind.complete, kind.date: day, "status": status},
            headers=planter,
        )
        assert answer.json()["status"] == status
        (rest if day == NOT_DUE else due).add(answer.json()["id"])
    return due, rest


async def expired(kind: Any, rows: set[str]) -> set[str]:
    found = await kind.sql(
        f"SELECT id::text FROM {kind.name} WHERE status = 'EXPIRED'"
        " AND id = ANY(CAST(:ids AS uuid[]))",
        ids=list(rows),
    )
    return {row.id for row in found}


async def held(kind: Any, rows: set[str]) -> set[str]:
    """The rows that a transaction has locked."""
    found = await kind.sql(
        f"SELECT id::text FROM {kind.name} WHERE id = ANY(CAST(:ids AS uuid[]))"
        " FOR UPDATE SKIP LOCKED",
        ids=list(rows),
    )
    return rows - {row.id for row in found}


async def check_once(kind: Any, due: set[str], rest: set[str]) -> None:
    """One version, one step by the system and one event each; the others are as they were."""
    assert await expired(kind, due | rest) == due
    steps = await kind.sql(
        "SELECT resource_id::text AS id, from_status, actor, role, version FROM transition"
        " WHERE to_status = 'EXPIRED' AND resource_id = ANY(CAST(:ids AS uuid[]))",
        ids=list(due | rest),
    )
    assert sorted(step.id for step in steps) == sorted(due)
    assert {(step.actor, step.role) for step in steps} == {("system", "system")}
    events = await kind.events(due | rest)
    last = {step.id: step.version for step in steps}
    for row in due:
        assert [event for event in events[row] if event[0] == "expired"] == [("expired", last[row])]
        assert len({version for _, version in events[row]}) == len(events[row]) == last[row]
    assert not any(fact == "expired" for row in rest for fact, _ in events[row])


async def test_two_workers_side_by_side_expire_each_row_once(
    kind: Any, servers: LocalServers, planter: Headers
) -> None:
    due, rest = await planted(kind, planter, servers)
    stop = asyncio.Event()
    async with workers(kind, servers, 2) as pair:
        loops = [periodic("expiry", partial(kind.expire, each), 0.01) for each in pair]
        tasks = [asyncio.create_task(loop(stop)) for loop in loops]
        while await expired(kind, due) != due:
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*tasks)
    await check_once(kind, due, rest)


@pytest.mark.parametrize("when", ["within", "between"])
async def test_a_killed_worker_leaves_nothing_half_done_and_nothing_undone(
    kind: Any, servers: LocalServers, planter: Headers, when: str
) -> None:
    """Killed inside a batch: nothing of it happened. Between two: the rest is for the next."""
    due, rest = await planted(kind, planter, servers)
    doomed = subprocess.Popen(  # noqa: ASYNC220 - it only starts
        [sys.executable, "-c", WORKER, kind.name, when, OVER.isoformat()],
        env=os.environ | {"URL": servers.database_url(f"svc-{kind.name}")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert doomed.stdout is not None
        assert await asyncio.to_thread(doomed.stdout.readline) == "now\n"
        done = await expired(kind, due)
        assert (len(done) == 0) is (when == "within")
        assert done < due
        async with workers(kind, servers, 2) as (passing_by, restarted):
            # While the first one holds its rows, another passes them by and takes others.
            await kind.expire(passing_by)
            assert done < await expired(kind, due)
            assert bool(await held(kind, due)) is (when == "within")
            doomed.kill()
            doomed.wait()
            while await expired(kind, due) != due:
                await kind.expire(restarted)
    finally:
        doomed.kill()
        doomed.wait()
        doomed.stdout.close()
    await check_once(kind, due, rest)
