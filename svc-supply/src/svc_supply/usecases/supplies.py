"""What callers do with supplies."""

from collections.abc import Sequence
from uuid import UUID

from shared.contracts.base import to_document
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change, TransitionHistory, TransitionIn
from shared.contracts.supplies import Supply, SupplyFilter, SupplyPatch, SupplyProfile
from shared.db import Idempotency, once
from shared.kernel.errors import not_found
from shared.kernel.ids import new_id
from shared.kernel.versions import check_version
from shared.outbox import Transactions, UnitOfWork
from svc_supply.domain import supplies as rules
from svc_supply.domain.supply_lifecycle import LIFECYCLE
from svc_supply.domain.supply_policy import (
    actors_of,
    movers_of,
    require_insider,
    require_sight,
)
from svc_supply.storage import supplies as store
from svc_supply.storage.tables import idempotency


async def create_supply(
    transactions: Transactions, caller: Caller, profile: SupplyProfile, key: Idempotency | None
) -> Supply:
    """Begin a draft."""
    async with transactions.begin() if key else transactions.single() as work:

        async def effect() -> Supply:
            change = rules.create(profile, new_id=new_id(), caller=caller, now=work.now)
            return await record_one(work, change)

        return await once(work.connection, idempotency, key, Supply, effect)


async def patch_supply(
    transactions: Transactions,
    caller: Caller,
    supply_id: UUID,
    version: int,
    patch: SupplyPatch,
    key: Idempotency | None,
) -> Supply:
    """Replace the given fields; without a difference the version stays."""
    async with transactions.begin() as work:

        async def effect() -> Supply:
            stored = await store.read(work.connection, supply_id, lock=True)
            require_insider(caller, stored.resource if stored else None)
            assert stored is not None  # noqa: S101 - refused above
            check_version(version, stored.resource.version)
            given = {name: getattr(patch, name) for name in patch.model_fields_set}
            profile = rules.profile_of(stored.resource).model_copy(update=given)
            change = rules.edit(stored, profile, caller=caller, now=work.now)
            return await record_one(work, change) if change else stored.resource

        return await once(work.connection, idempotency, key, Supply, effect)


async def move_supply(
    transactions: Transactions,
    caller: Caller,
    supply_id: UUID,
    version: int,
    wish: TransitionIn,
    key: Idempotency | None,
) -> Supply:
    """Take one step of the life cycle."""
    async with transactions.begin() as work:

        async def effect() -> Supply:
            stored = await store.read(work.connection, supply_id, lock=True)
            require_insider(caller, stored.resource if stored else None)
            assert stored is not None  # noqa: S101 - refused above
            check_version(version, stored.resource.version)
            change = rules.move(
                stored,
                wish.to,
                reason=wish.reason,
                caller=caller,
                now=work.now,
            )
            return await record_one(work, change)

        return await once(work.connection, idempotency, key, Supply, effect)


async def get_supply(
    transactions: Transactions, caller: Caller, supply_id: UUID
) -> store.SupplyDocument:
    """Return a supply that the caller may see."""
    async with transactions.read() as connection:
        found = await store.read_document(connection, supply_id)
    return require_sight(caller, found)


async def get_supply_by_ref(
    transactions: Transactions, caller: Caller, system: str, ref: str
) -> store.SupplyDocument:
    """Return the supply that the caller's tenant keeps under this key."""
    async with transactions.read() as connection:
        found = await store.read_document_by_ref(connection, caller.tenant, system, ref)
    return require_sight(caller, found)


async def list_supplies(
    transactions: Transactions,
    caller: Caller,
    filters: SupplyFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[bytes], UUID | None]:
    """Return the newest that the caller may see, and where the next page begins."""
    async with transactions.read() as connection:
        return await store.page(connection, caller, filters, limit=limit, after=after)


async def get_history(
    transactions: Transactions, caller: Caller, supply_id: UUID
) -> TransitionHistory:
    """Return the way so far and the next steps; for insiders, 404 for anybody else."""
    async with transactions.read() as connection:
        stored = await store.read(connection, supply_id)
        if stored is None or not actors_of(caller, stored.resource):
            raise not_found("supply", "nguồn cung")
        items = await store.history(connection, supply_id)
    supply = stored.resource
    return TransitionHistory(
        resource_id=supply.id,
        status=supply.status,
        version=supply.version,
        items=items,
        allowed=LIFECYCLE.allowed(supply.status, movers_of(caller, supply)),
    )


async def record_one(work: UnitOfWork, change: Change[Supply]) -> Supply:
    """Write a change and return the new state."""
    await record(work, [change])
    return change.after.resource


async def record(work: UnitOfWork, changes: Sequence[Change[Supply]]) -> None:
    """Write changes with their history and their events."""
    documents = [to_document(change.after.resource) for change in changes]
    announce(work, changes, documents)
    await store.write(work.connection, store.rows_of(changes, documents), work.hand_over())


def announce(
    work: UnitOfWork, changes: Sequence[Change[Supply]], documents: Sequence[bytes]
) -> None:
    """Tell of changes that others may hear of."""
    for change, document in zip(changes, documents, strict=True):
        if change.fact is not None:
            supply = change.after.resource
            subject = f"supply.offer.{change.fact}.v1"
            work.publish(subject, supply.id, supply.version, document)
