"""Reading and writing supplies."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Text,
    bindparam,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility, assemble
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change, Stored, Transition
from shared.contracts.supplies import Supply, SupplyFilter, SupplyProfile, SupplyStatus
from shared.db.bulk import insert_many
from shared.db.history import history_rows, read_history, write_history
from shared.kernel.errors import ConflictError
from shared.kernel.text import search_key
from svc_supply.domain.supplies import profile_of
from svc_supply.domain.supply_lifecycle import LIVE
from svc_supply.storage.tables import NATURAL_KEY, supply, transition

_IDENTITY = ("id", "version", "status", "owner", "created_at", "updated_at")


class NaturalKeyTakenError(ConflictError):
    """Another supply of the tenant has this natural key; it may have come a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "source_ref_taken",
            "Another supply of yours has this `source.system` and `source.ref`.",
            "Đã có nguồn cung khác của bạn dùng `source.system` và `source.ref` này.",
        )


async def read(
    connection: AsyncConnection, supply_id: UUID, *, lock: bool = False
) -> Stored[Supply] | None:
    """Return one supply; `lock` keeps other writers out until the transaction ends."""
    return await _one(connection, select(supply).where(supply.c.id == supply_id), lock=lock)


async def read_by_ref(
    connection: AsyncConnection, owner: str, system: str, ref: str
) -> Stored[Supply] | None:
    """Return a tenant's supply by its sender's key."""
    query = select(supply).where(
        supply.c.owner == owner, supply.c.source_system == system, supply.c.source_ref == ref
    )
    return await _one(connection, query, lock=False)


async def lock_by_refs(
    connection: AsyncConnection, owner: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Stored[Supply]]:
    """Return those of a tenant's supplies that have one of the keys, locked, in one query."""
    systems, refs = zip(*keys, strict=True) if keys else ((), ())
    wanted = func.unnest(literal(systems, ARRAY(Text)), literal(refs, ARRAY(Text)))
    pairs = wanted.table_valued("system", "ref").render_derived()
    key = tuple_(supply.c.source_system, supply.c.source_ref)
    query = (
        select(supply)
        .where(
            supply.c.owner == owner,
            key.in_(select(pairs.c.system, pairs.c.ref)),
        )
        .order_by(supply.c.id)
        .with_for_update()
    )
    rows = await connection.execute(query)
    return {(row.source_system, row.source_ref): _stored(row) for row in rows}


async def lock_due(connection: AsyncConnection, today: date, limit: int) -> list[Stored[Supply]]:
    """Return some supplies whose day is over, locked; those that another holds are left out."""
    query = (
        select(supply)
        .where(supply.c.status.in_(LIVE), supply.c.available_until < today)
        .order_by(supply.c.available_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_stored(row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection,
    caller: Caller,
    filters: SupplyFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[Supply], UUID | None]:
    """Return the newest supplies that the caller may see, and where the next page begins."""
    query = select(supply).where(visible_to(caller), *_conditions(filters))
    if after is not None:
        query = query.where(supply.c.id < after)
    rows = (await connection.execute(query.order_by(supply.c.id.desc()).limit(limit + 1))).all()
    items = [_stored(row).resource for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """`domain.supply_policy.may_see` as a condition on rows."""
    if caller.is_operator:
        return true()
    shown = [Visibility.PUBLIC]
    if caller.sees_partners:
        shown.append(Visibility.PARTNERS)
    ways: list[ColumnElement[bool]] = [
        (supply.c.status == SupplyStatus.PUBLISHED) & supply.c.visibility.in_(shown)
    ]
    if caller.tenant:
        ways.append(supply.c.owner == caller.tenant)
    return or_(*ways)


async def write(connection: AsyncConnection, changes: Sequence[Change[Supply]]) -> None:
    """Write the new states and their history; rows that are changed must be locked."""
    created = [_values(change.after) for change in changes if change.created]
    changed = [_values(change.after) for change in changes if not change.created]
    try:
        await insert_many(connection, supply, created)
        if changed:
            for values in changed:
                values["this_id"] = values.pop("id")
                del values["owner"], values["created_at"]
            statement = update(supply).where(supply.c.id == bindparam("this_id"))
            await connection.execute(statement, changed)
    except IntegrityError as error:
        if NATURAL_KEY in str(error.orig):
            raise NaturalKeyTakenError from error
        raise
    await write_history(connection, transition, [row for c in changes for row in _history(c)])


async def history(connection: AsyncConnection, supply_id: UUID) -> list[Transition]:
    """Return the moves of one supply."""
    return await read_history(connection, transition, supply_id)


def _conditions(filters: SupplyFilter) -> Iterable[ColumnElement[bool]]:
    for name in ("status", "kind", "language", "country", "legal_list"):
        if wanted := getattr(filters, name):
            yield supply.c[name].in_(wanted)
    for name in ("fields", "industries"):
        if wanted := getattr(filters, name):
            # Spelt as the index is: a subscript or a bound key would pass the index by.
            codes = literal_column(f"(supply.profile -> '{name}')", JSONB)
            yield or_(*(codes.contains([code]) for code in wanted))
    for name in ("owner", "visibility", "source_kind", "source_system"):
        if (value := getattr(filters, name)) is not None:
            yield supply.c[name] == value


async def _one(
    connection: AsyncConnection, query: Select[Any], *, lock: bool
) -> Stored[Supply] | None:
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _stored(row) if row is not None else None


def _stored(row: Row[Any]) -> Stored[Supply]:
    content = SupplyProfile.model_validate(row.profile).__dict__
    identity = {name: getattr(row, name) for name in _IDENTITY}
    identity["status"] = SupplyStatus(row.status)
    return Stored(assemble(Supply, content | identity), row.announced)


def _values(stored: Stored[Supply]) -> dict[str, Any]:
    resource = stored.resource
    source = resource.source
    return {
        "id": resource.id,
        "version": resource.version,
        "status": resource.status,
        "owner": resource.owner,
        "visibility": resource.visibility,
        "kind": resource.kind,
        "language": resource.language,
        "country": resource.country,
        "legal_list": resource.legal_list,
        "source_kind": source.kind if source else None,
        "source_system": source.system if source else None,
        "source_ref": source.ref if source else None,
        "search_key": search_key(resource.title),
        "available_until": resource.available_until,
        "announced": stored.announced,
        "profile": profile_of(resource),
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
    }


def _history(change: Change[Supply]) -> list[dict[str, object]]:
    after = change.after.resource
    return history_rows(after.id, after.version, change.steps, after.updated_at)
