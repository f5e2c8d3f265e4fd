"""The checker: green on the product under load, red on every sabotaged build of it.

A sabotage is a file in `sabotage/` that one process of the cluster runs before it starts. The
same work and the same fault are done to the product and to the sabotaged build.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import pytest

from faults.cluster import until
from faults.load import READERS
from faults.trial import Trial, repeat

pytestmark = pytest.mark.timeout(120)

Work = Callable[[Trial], Awaitable[None]]


async def mixed(trial: Trial) -> None:
    """A little of everything."""
    await trial.load.offer()

    async def enough() -> bool:
        return len(trial.history.acknowledged) > 60

    async with trial.load.running(publishers=3):
        await until(enough, what="sixty writes")
    await trial.load.race()


async def publishing(trial: Trial) -> None:
    await repeat(40, trial.load.publish)


async def prying(trial: Trial) -> None:
    """Everybody asks for what is nobody's business."""
    await repeat(3, lambda: trial.load.publish(private=True))
    await repeat(3, trial.load.post)
    for client in READERS:
        for path in ("/v1/demands?limit=100", *trial.load.private):
            await trial.load.read(client, path)


async def committing_late(trial: Trial) -> None:
    """A transaction takes its number early and commits after others with higher ones."""
    connection = await asyncpg.connect(trial.cluster.database_url)
    slow = connection.transaction()
    await slow.start()
    await connection.execute(
        "INSERT INTO demand.outbox (created_at, event_id, type, aggregate_id, aggregate_version,"
        " data, db_epoch) VALUES (now(), $1, 'demand.probe.noted.v1', $1, 1, $2, 1)",
        uuid4(),
        b"{}",
    )
    await publishing(trial)
    await trial.settle()
    await slow.commit()
    await connection.close()


async def losing_answers(trial: Trial) -> None:
    link = trial.cluster.links["client", "gateway"]
    await trial.load.post()
    answers = iter(range(1000))
    link.lose = lambda _: next(answers) % 2 == 0
    await repeat(10, trial.load.post)
    link.mend()


async def reader_restarted(trial: Trial) -> None:
    """The ledger ends at its crash point, and is started again."""
    await publishing(trial)
    assert await trial.cluster.ended("ledger") == 137
    await trial.ledger.start(sabotage=trial.sabotage.get("ledger", ()))


async def demand_restarted(trial: Trial) -> None:
    """svc-demand ends at its crash point, and is started again while clients insist."""

    async def again() -> None:
        assert await trial.cluster.ended("svc-demand") == 137
        await trial.cluster.start("svc-demand", sabotage=trial.sabotage.get("svc-demand", ()))

    await asyncio.gather(publishing(trial), again())


@dataclass(frozen=True)
class Case:
    """`broken` must be among the invariants that the sabotaged build breaks."""

    sabotage: str
    service: str
    broken: str
    work: Work
    crash_at: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("if_match_ignored", "svc-demand", "I1", mixed),
    Case("rankings_skipped", "svc-matching", "I2", mixed),
    Case("inbox_removed", "ledger", "I3", reader_restarted, {"ledger": "consumer_committed"}),
    Case(
        "ack_before_commit", "ledger", "I3", reader_restarted, {"ledger": "consumer_before_commit"}
    ),
    Case("new_event_id", "svc-demand", "I3", demand_restarted, {"svc-demand": "relay_published:3"}),
    Case("idempotency_forgotten", "svc-demand", "I3", losing_answers),
    Case("policy_returns_everything", "svc-demand", "I4", prying),
    Case("counts_lost", "svc-reporting", "I5", mixed),
    Case("first_state_kept", "svc-reporting", "I6", mixed),
    Case("cursor_poller", "svc-demand", "I7", committing_late),
    Case("plain_refusals", "svc-demand", "I8", mixed),
    Case(
        "outbox_apart", "svc-demand", "I9", demand_restarted, {"svc-demand": "outbox_committed:3"}
    ),
    Case("history_cut", "svc-demand", "I10", mixed),
]
HEALTHY = {(case.work, tuple(case.crash_at.items())): case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sabotage)
async def test_a_sabotaged_build_is_found_out(trial: Trial, case: Case) -> None:
    sabotage = {case.service: [case.sabotage]}
    await trial.start(sabotage=sabotage, crash_at=case.crash_at)
    await case.work(trial)
    await trial.settle(2, quietly=True)
    report = await trial.judge()
    print(f"{case.sabotage}: {report.findings[case.broken][:1]}")
    assert case.broken in report.broken, str(report)


@pytest.mark.parametrize("case", HEALTHY.values(), ids=lambda case: case.work.__name__)
async def test_the_product_passes_the_same_trial(trial: Trial, case: Case) -> None:
    await trial.start(crash_at=case.crash_at)
    before = await trial.evidence()
    await case.work(trial)
    await trial.settle()
    report = await trial.judge(earlier=before)
    assert not report.broken, str(report)
    assert report.figures["writes acknowledged"] >= 6
