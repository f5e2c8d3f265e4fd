"""Demands as a sender's own system has them: one by one, and in files."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.base import Contract, to_document
from shared.contracts.demands import Demand, DemandUpsert
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change, Standing
from shared.db import Idempotency, once
from shared.db.resources import ResourceRow
from shared.imports.rows import Outcome, distinct_runs
from shared.kernel.errors import KetnoiError, PreconditionError
from shared.kernel.ids import new_id
from shared.kernel.versions import check_version
from shared.outbox import Transactions, UnitOfWork
from svc_demand.domain import demands as rules
from svc_demand.storage import demands as store
from svc_demand.storage.tables import idempotency
from svc_demand.usecases.demands import announce, record

RACES = 3
"""Attempts when another request creates the same key at the same time."""


class UpsertedDemand(Contract):
    """The demand, and what the upsert made of it."""

    outcome: Outcome
    demand: Demand


async def upsert_demand(
    transactions: Transactions,
    caller: Caller,
    row: DemandUpsert,
    *,
    version: int | None,
    key: Idempotency | None,
) -> UpsertedDemand:
    """Bring one demand to what the row says."""
    for _ in range(RACES):
        try:
            if version is None and key is None:
                created = await _create_if_new(transactions, caller, row)
                if created is not None:
                    return created
            return await _upsert_once(transactions, caller, row, version, key)
        except store.NaturalKeyTakenError as error:
            taken = error
    raise taken


async def _create_if_new(
    transactions: Transactions, caller: Caller, row: DemandUpsert
) -> UpsertedDemand | None:
    """Write what is new by one statement; the natural key's constraint decides a race."""
    natural = rules.natural_key(row)
    async with transactions.single() as work:
        if await store.has_ref(work.connection, caller.tenant, natural):
            return None
        change = _change(None, row, caller, work.now)
        assert change is not None  # noqa: S101 - what is new always changes something
        await record(work, [change])
    return UpsertedDemand(outcome=Outcome.CREATED, demand=change.after.resource)


async def _upsert_once(
    transactions: Transactions,
    caller: Caller,
    row: DemandUpsert,
    version: int | None,
    key: Idempotency | None,
) -> UpsertedDemand:
    natural = rules.natural_key(row)
    async with transactions.begin() as work:

        async def effect() -> UpsertedDemand:
            found = await store.lock_by_refs(work.connection, caller.tenant, [natural])
            known = found.get(natural)
            if version is not None:
                if known is None:
                    raise _nothing_there(version)
                check_version(version, known.version)
            change = _change(known, row, caller, work.now)
            if change is None:
                assert known is not None  # noqa: S101 - what is new always changes something
                stored = await store.read(work.connection, known.id)
                assert stored is not None  # noqa: S101 - it is locked
                return UpsertedDemand(outcome=Outcome.UNCHANGED, demand=stored.resource)
            await record(work, [change])
            return UpsertedDemand(outcome=_outcome(change), demand=change.after.resource)

        return await once(work.connection, idempotency, key, UpsertedDemand, effect)


def _change(
    known: Standing | None, row: DemandUpsert, caller: Caller, now: datetime
) -> Change[Demand] | None:
    return rules.upsert(
        known,
        row,
        new_id=new_id(),
        caller=caller,
        recorded_as=f"by-ref {'/'.join(rules.natural_key(row))}",
        now=now,
    )


async def import_demands(
    work: UnitOfWork, caller: Caller, label: str, rows: Sequence[DemandUpsert]
) -> list[Outcome | KetnoiError]:
    """Upsert many rows in few statements; a row that breaks a rule harms no other."""
    results: list[Outcome | KetnoiError] = []
    for run in distinct_runs(rows, lambda row: rules.key_of(row) or id(row)):
        keys = [key for row in run if (key := rules.key_of(row))]
        known = await store.lock_by_refs(work.connection, caller.tenant, keys)
        plan = await asyncio.to_thread(_plan, run, known, caller, label, work.now)
        announce(work, plan.changes, plan.documents)
        await store.write(work.connection, plan.rows, work.hand_over())
        results += plan.results
    return results


@dataclass(slots=True)
class _Plan:
    """What a run of rows makes, computed beside the event loop."""

    changes: list[Change[Demand]] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    rows: list[ResourceRow] = field(default_factory=list)
    results: list[Outcome | KetnoiError] = field(default_factory=list)


def _plan(
    run: Sequence[DemandUpsert],
    known: Mapping[tuple[str, str], Standing],
    caller: Caller,
    label: str,
    now: datetime,
) -> _Plan:
    plan = _Plan()
    for row in run:
        try:
            change = rules.upsert(
                known.get(rules.natural_key(row)),
                row,
                new_id=new_id(),
                caller=caller,
                recorded_as=label,
                now=now,
            )
        except KetnoiError as refusal:
            plan.results.append(refusal)
            continue
        if change is not None:
            plan.changes.append(change)
            plan.documents.append(to_document(change.after.resource))
        plan.results.append(_outcome(change))
    plan.rows = store.rows_of(plan.changes, plan.documents)
    return plan


def _outcome(change: Change[Demand] | None) -> Outcome:
    if change is None:
        return Outcome.UNCHANGED
    return Outcome.CREATED if change.created else Outcome.UPDATED


def _nothing_there(version: int) -> PreconditionError:
    return PreconditionError(
        "stale_version",
        f"If-Match names version {version}, but there is no such demand yet.",
        f"If-Match ghi phiên bản {version} nhưng chưa có nhu cầu này.",
    )
