"""Demands as a sender's own system has them: one by one, and in files."""

from collections.abc import Sequence

from shared.contracts.base import Contract
from shared.contracts.demands import Demand, DemandUpsert
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change
from shared.db import Idempotency, once
from shared.imports.rows import Outcome, distinct_runs
from shared.kernel.errors import KetnoiError, PreconditionError
from shared.kernel.ids import new_id
from shared.kernel.versions import check_version
from shared.outbox import Transactions, UnitOfWork
from svc_demand.domain import demands as rules
from svc_demand.storage import demands as store
from svc_demand.storage.tables import idempotency
from svc_demand.usecases.demands import record

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
            return await _upsert_once(transactions, caller, row, version, key)
        except store.NaturalKeyTakenError as error:
            taken = error
    raise taken


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
            known = await store.lock_by_refs(work.connection, caller.tenant, [natural])
            stored = known.get(natural)
            if version is not None:
                if stored is None:
                    raise _nothing_there(version)
                check_version(version, stored.resource.version)
            change = rules.upsert(
                stored,
                row,
                new_id=new_id(),
                caller=caller,
                recorded_as=f"by-ref {'/'.join(natural)}",
                now=work.now,
            )
            if change is None:
                assert stored is not None  # noqa: S101 - what is new always changes something
                return UpsertedDemand(outcome=Outcome.UNCHANGED, demand=stored.resource)
            await record(work, [change])
            return UpsertedDemand(outcome=_outcome(change), demand=change.after.resource)

        return await once(work.connection, idempotency, key, UpsertedDemand, effect)


async def import_demands(
    work: UnitOfWork, caller: Caller, label: str, rows: Sequence[DemandUpsert]
) -> list[Outcome | KetnoiError]:
    """Upsert many rows in few statements; a row that breaks a rule harms no other."""
    results: list[Outcome | KetnoiError] = []
    for run in distinct_runs(rows, lambda row: rules.key_of(row) or id(row)):
        keys = [key for row in run if (key := rules.key_of(row))]
        known = await store.lock_by_refs(work.connection, caller.tenant, keys)
        changes: list[Change[Demand]] = []
        for row in run:
            try:
                change = rules.upsert(
                    known.get(rules.natural_key(row)),
                    row,
                    new_id=new_id(),
                    caller=caller,
                    recorded_as=label,
                    now=work.now,
                )
            except KetnoiError as refusal:
                results.append(refusal)
                continue
            if change is not None:
                changes.append(change)
            results.append(_outcome(change))
        await record(work, changes)
    return results


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
