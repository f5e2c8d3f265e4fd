"""kill -9 of every process once, under light load: nothing acknowledged is lost, nothing doubled.

The checker reads Postgres and the client's own record of acknowledged calls, not the services.
"""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ketnoi.environment import Environment
from ketnoi.local_suite import LocalSuite, local_suite
from ketnoi.operator.republish import admin_url

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200)]

RATE = 20
RECOVERY_SECONDS = 30


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSuite]:
    with local_suite(tmp_path_factory.mktemp("faults") / "home") as running:
        yield running


class Load:
    """Publishes demands at a steady rate; a call without an answer is sent again, unchanged."""

    def __init__(self, suite: LocalSuite) -> None:
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self._suite = suite
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._http = httpx.Client(base_url=suite.url, timeout=5)
        self._token = ""

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(RECOVERY_SECONDS)
        self._http.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._publish(f"k{number}")
            time.sleep(1 / RATE)

    def _publish(self, ref: str) -> None:
        body = {
            "title": f"Máy sấy chè {ref}",
            "description": "Cần máy sấy chè bằng bơm nhiệt",
            "language": "vi",
            "kind": "APPLICATION",
            "province": "19",
            "status": "PUBLISHED",
        }
        while True:
            try:
                answer = self._http.put(
                    f"/v1/demands/by-ref/kill/{ref}", json=body, headers=self._authorization()
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                self.acknowledged[ref] = (answer.json()["id"], answer.json()["version"])
                return
            if answer is not None and answer.status_code not in (429, 500, 502, 503, 504):
                raise AssertionError(f"{answer.status_code} {answer.text}")
            time.sleep(0.1)

    def _authorization(self) -> dict[str, str]:
        while not self._token:
            try:
                answer = self._http.post(
                    "/oauth/token",
                    data={"grant_type": "client_credentials"},
                    auth=self._suite.client("operator"),
                )
                self._token = answer.json()["access_token"] if answer.is_success else ""
            except httpx.TransportError:
                time.sleep(0.1)
        return {"Authorization": f"Bearer {self._token}"}


def _wait(condition, seconds: float = RECOVERY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not recovered within {seconds} s")


def _ready(url: str) -> bool:
    try:
        health = httpx.get(f"{url}/healthz", timeout=3).json()
    except (httpx.TransportError, ValueError):
        return False
    return health["status"] != "fail"  # a warning may well outlast a recovery


def _victims(suite: LocalSuite, seconds: int) -> Iterator[str]:
    """Name every process once, or, in a soak, random ones until the time is up."""
    names = list(suite.state["processes"])
    yield from names
    deadline = time.monotonic() + seconds
    dice = random.Random(seconds)
    while time.monotonic() < deadline:
        yield dice.choice(names)


def test_nothing_acknowledged_is_lost_and_nothing_doubled(
    victim: LocalSuite, request: pytest.FixtureRequest
) -> None:
    seconds: int = request.config.getoption("--soak-seconds")
    _wait(lambda: _ready(victim.url))
    killed: Counter[str] = Counter()
    with Load(victim) as load:
        _wait(lambda: len(load.acknowledged) >= RATE)
        for name in _victims(victim, seconds):
            before = len(load.acknowledged)
            # Asked anew each time: the death of the fork host gives every service another pid.
            os.kill(victim.state["processes"][name], signal.SIGKILL)
            killed[name] += 1
            _wait(lambda before=before: len(load.acknowledged) > before + 5)
            _wait(lambda: _ready(victim.url))
    assert {"postgres", "nats", "gateway", "svc-demand", "svc-matching"} <= killed.keys()
    _wait(lambda: _drained(victim), 60)
    _check(victim, load.acknowledged)


def _drained(suite: LocalSuite) -> bool:
    return asyncio.run(_unfinished(suite)) == (0, 0)


async def _connect(suite: LocalSuite) -> asyncpg.Connection:
    return await asyncpg.connect(admin_url(Environment.read(suite.environment(), Path.cwd())))


async def _unfinished(suite: LocalSuite) -> tuple[int, int]:
    """Unsent events, and published demands that have no match run of their version."""
    connection = await _connect(suite)
    try:
        unsent = await connection.fetchval(
            "SELECT count(*) FROM demand.outbox WHERE published_at IS NULL"
        )
        unmatched = await connection.fetchval(
            "SELECT count(*) FROM demand.demand d WHERE d.status = 'PUBLISHED' AND NOT EXISTS"
            " (SELECT 1 FROM matching.match_run r"
            "  WHERE r.demand_id = d.id AND r.demand_version = d.version)"
        )
    finally:
        await connection.close()
    return unsent, unmatched


def _check(suite: LocalSuite, acknowledged: dict[str, tuple[str, int]]) -> None:
    async def look() -> None:
        connection = await _connect(suite)
        try:
            rows = await connection.fetch(
                "SELECT id::text, source_ref, version FROM demand.demand"
                " WHERE source_system = 'kill'"
            )
            stored = {row["source_ref"]: (row["id"], row["version"]) for row in rows}
            assert len(rows) == len(stored)
            assert {ref: stored.get(ref) for ref in acknowledged} == acknowledged
            doubled = await connection.fetch(
                "SELECT demand_id, supply_id FROM matching.match GROUP BY 1, 2 HAVING count(*) > 1"
            )
            assert doubled == []
            runs = await connection.fetch(
                "SELECT demand_id, demand_version, index_epoch FROM matching.match_run"
                " GROUP BY 1, 2, 3 HAVING count(*) > 1"
            )
            assert runs == []
            letters = await connection.fetchval("SELECT count(*) FROM matching.dead_letter")
            assert letters == 0
        finally:
            await connection.close()

    asyncio.run(look())
