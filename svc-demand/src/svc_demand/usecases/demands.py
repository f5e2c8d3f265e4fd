"""What callers do with demands."""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.base import to_document
from shared.contracts.demands import Demand, DemandFilter, DemandPatch, DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change, TransitionHistory, TransitionIn
from shared.db import Idempotency, once
from shared.kernel.errors import not_found
from shared.kernel.ids import new_id
from shared.kernel.versions import check_version
from shared.outbox import Transactions, UnitOfWork
from svc_demand.domain import demands as rules
from svc_demand.domain.demand_lifecycle import LIFECYCLE
from svc_demand.domain.demand_policy import (
    actors_of,
    movers_of,
    require_insider,
    require_sight,
)
from svc_demand.storage import demands as store
from svc_demand.storage.tables import idempotency


async def create_demand(
    transactions: Transactions, caller: Caller, profile: DemandProfile, key: Idempotency | None
) -> Demand:
    """Begin a draft."""
    async with transactions.begin() if key else transactions.single() as work:

        async def effect() -> Demand:
            change = rules.create(profile, new_id=new_id(), caller=caller, now=work.now)
            return await record_one(work, change)

        return await once(work.connection, idempotency, key, Demand, effect)


async def patch_demand(
    transactions: Transactions,
    caller: Caller,
    demand_id: UUID,
    version: int,
    patch: DemandPatch,
    key: Idempotency | None,
) -> Demand:
    """Replace the given fields; without a difference the version stays."""
    async with transactions.begin() as work:

        async def effect() -> Demand:
            stored = await store.read(work.connection, demand_id, lock=True)
            require_insider(caller, stored.resource if stored else None)
            assert stored is not None  # noqa: S101 - refused above
            check_version(version, stored.resource.version)
            given = {name: getattr(patch, name) for name in patch.model_fields_set}
            profile = rules.profile_of(stored.resource).model_copy(update=given)
            change = rules.edit(stored, profile, caller=caller, now=work.now)
            return await record_one(work, change) if change else stored.resource

        return await once(work.connection, idempotency, key, Demand, effect)


async def move_demand(
    transactions: Transactions,
    caller: Caller,
    demand_id: UUID,
    version: int,
    wish: TransitionIn,
    key: Idempotency | None,
) -> Demand:
    """Take one step of the life cycle."""
    async with transactions.begin() as work:

        async def effect() -> Demand:
            stored = await store.read(work.connection, demand_id, lock=True)
            require_insider(caller, stored.resource if stored else None)
            assert stored is not None  # noqa: S101 - refused above
            check_version(version, stored.resource.version)
            change = rules.move(
                stored,
                wish.to,
                reason=wish.reason,
                checklist=wish.checklist,
                caller=caller,
                now=work.now,
            )
            return await record_one(work, change)

        return await once(work.connection, idempotency, key, Demand, effect)


async def get_demand(
    transactions: Transactions, caller: Caller, demand_id: UUID
) -> store.DemandDocument:
    """Return a demand that the caller may see."""
    async with transactions.read() as connection:
        found = await store.read_document(connection, demand_id)
    return require_sight(caller, found)


async def get_demand_by_ref(
    transactions: Transactions, caller: Caller, system: str, ref: str
) -> store.DemandDocument:
    """Return the demand that the caller's tenant keeps under this key."""
    async with transactions.read() as connection:
        found = await store.read_document_by_ref(connection, caller.tenant, system, ref)
    return require_sight(caller, found)


async def list_demands(
    transactions: Transactions,
    caller: Caller,
    filters: DemandFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[bytes], UUID | None]:
    """Return the newest that the caller may see, and where the next page begins."""
    async with transactions.read() as connection:
        return await store.page(connection, caller, filters, limit=limit, after=after)


async def get_history(
    transactions: Transactions, caller: Caller, demand_id: UUID
) -> TransitionHistory:
    """Return the way so far and the next steps; for insiders, 404 for anybody else."""
    async with transactions.read() as connection:
        stored = await store.read(connection, demand_id)
        if stored is None or not actors_of(caller, stored.resource):
            raise not_found("demand", "nhu cầu")
        items = await store.history(connection, demand_id)
    demand = stored.resource
    return TransitionHistory(
        resource_id=demand.id,
        status=demand.status,
        version=demand.version,
        items=items,
        allowed=LIFECYCLE.allowed(demand.status, movers_of(caller, demand)),
    )


async def record_one(work: UnitOfWork, change: Change[Demand]) -> Demand:
    """Write a change and return the new state."""
    await record(work, [change])
    return change.after.resource


async def record(work: UnitOfWork, changes: Sequence[Change[Demand]]) -> None:
    """Write changes with their history and their events."""
    documents = [to_document(change.after.resource) for change in changes]
    announce(work, changes, documents)
    await store.write(work.connection, store.rows_of(changes, documents), work.hand_over())


def announce(
    work: UnitOfWork, changes: Sequence[Change[Demand]], documents: Sequence[bytes]
) -> None:
    """Tell of changes that others may hear of."""
    for change, document in zip(changes, documents, strict=True):
        if change.fact is not None:
            demand = change.after.resource
            subject = f"demand.request.{change.fact}.v1"
            work.publish(subject, demand.id, demand.version, document)
