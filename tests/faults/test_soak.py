"""The suite as a user runs it, under load: everything is killed, paused, lost and rolled back.

Short with the other tests; with `--soak-seconds` (`make soak`) for as long as that, with random
faults, and a report in `bench-results/`.
"""

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from faults.checker import judge
from faults.history import History
from faults.load import Load
from faults.ordeal import Ordeal
from faults.proxy import Proxy
from faults.trial import gather_at_rest
from ketnoi.local_suite import LocalSuite, local_suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200)]

SETTLE_SECONDS = 90.0
"""The broker hands out again after `ack_wait` (4 s) what a killed reader had in hand."""
ROLLED_BACK_SECONDS = 120.0
LONG_PAUSE_SECONDS = 65.0
CRASH_AT = "svc-demand:outbox_committed"
"""Beside all that is done from outside, one service ends once of itself."""
RESULTS = Path(__file__).parents[2] / "bench-results"


@pytest.fixture
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSuite]:
    home = tmp_path_factory.mktemp("ordeal") / "home"
    with local_suite(home, crash_at=CRASH_AT) as running:
        yield running
        assert "svc-demand ended with exit code 137" in home.with_suffix(".log").read_text()


@pytest.fixture
async def ordeal(
    suite: LocalSuite, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Ordeal, Load]]:
    link = await Proxy(int(suite.url.rpartition(":")[2])).start()
    history = History(tmp_path / "history.jsonl")
    load = Load(f"http://127.0.0.1:{link.port}", suite.client, history, pause=0.1, tag="soak")
    patience = 5 if request.config.getoption("--soak-seconds") else 60
    yield Ordeal(suite, load, link, patience=patience), load
    await load.close()
    history.close()
    await link.close()


async def _each_once(ordeal: Ordeal) -> None:
    await ordeal.copy_store()
    for name in list(ordeal.processes):
        await ordeal.kill(name)
    await ordeal.roll_back_store()
    await ordeal.lose_answers(1)
    for name in ("svc-matching", "nats"):
        await ordeal.pause(name, 1)
    await ordeal.lose_store()


async def _random(ordeal: Ordeal, seconds: float) -> None:
    """Kill, and at a few set times do worse."""
    started = time.monotonic()
    ends = started + seconds
    worse = [(0.25, "roll back"), (0.4, "lose"), (0.6, "zombie svc-matching")]
    worse += [(0.7, "roll back"), (0.8, "zombie svc-reporting"), (0.9, "lose")]
    await ordeal.copy_store()
    while time.monotonic() < ends:
        done = (time.monotonic() - started) / seconds
        if worse and done >= worse[0][0] and _is_due(ordeal, worse[0][1], seconds):
            await _worse(ordeal, worse.pop(0)[1], seconds)
        elif ordeal.dice.random() < 0.05:
            await ordeal.lose_answers(2)
        elif ordeal.dice.random() < 0.05:
            name = ordeal.dice.choice(list(ordeal.processes))
            await ordeal.pause(name, ordeal.dice.uniform(0.5, 4))
        else:
            await ordeal.kill(ordeal.dice.choice(list(ordeal.processes)))
        if ordeal.copy_age > 1.5 * ROLLED_BACK_SECONDS:
            await ordeal.copy_store()


def _is_due(ordeal: Ordeal, what: str, seconds: float) -> bool:
    return what != "roll back" or ordeal.copy_age >= min(ROLLED_BACK_SECONDS, seconds / 10)


async def _worse(ordeal: Ordeal, what: str, seconds: float) -> None:
    if what == "roll back":
        await ordeal.roll_back_store()
        await ordeal.copy_store()
    elif what == "lose":
        await ordeal.lose_store()
        await ordeal.copy_store()
    elif seconds >= 10 * LONG_PAUSE_SECONDS:
        await ordeal.pause(what.split()[1], LONG_PAUSE_SECONDS)


async def test_a_suite_under_load_survives_everything(
    ordeal: tuple[Ordeal, Load], request: pytest.FixtureRequest
) -> None:
    seconds: int = request.config.getoption("--soak-seconds")
    what, load = ordeal
    await what.well()
    await load.offer()
    await load.publish()  # here svc-demand ends, and the client insists
    before = await gather_at_rest(what.database_url, what.nats_url, load)
    async with load.running(publishers=2):
        if seconds:
            await _random(what, seconds)
        else:
            await _each_once(what)
    await what.watched()
    settled = await what.settle(SETTLE_SECONDS)
    evidence = await gather_at_rest(what.database_url, what.nats_url, load)
    report = judge(load.history, evidence, earlier=before)
    report.figures |= {"settled after s": round(settled, 1), "kills": what.record.kills}
    print(f"\n{what.record}\n\n{report}")
    if seconds:
        report.figures |= what.record.figures()
        report.write(RESULTS / "soak.json")
    if report.broken:
        RESULTS.mkdir(exist_ok=True)
        load.history.flush()
        shutil.copy(load.history.file, RESULTS / "soak-history.jsonl")
        shutil.copytree(what.logs, RESULTS / "soak-logs", dirs_exist_ok=True)
    assert not report.broken, str(report)
