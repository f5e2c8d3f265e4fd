"""Reading and writing demands."""

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
from shared.contracts.demands import Demand, DemandFilter, DemandProfile, DemandStatus
from shared.contracts.identity import Caller, Role
from shared.contracts.lifecycles import Change, Stored, Transition
from shared.contracts.places import codes_of
from shared.db.bulk import insert_many
from shared.db.history import history_rows, read_history, write_history
from shared.kernel.errors import ConflictError
from shared.kernel.text import search_key
from svc_demand.domain.demand_lifecycle import LIVE
from svc_demand.domain.demands import profile_of
from svc_demand.storage.tables import NATURAL_KEY, demand, transition

_IDENTITY = ("id", "version", "status", "owner", "created_at", "updated_at")


class NaturalKeyTakenError(ConflictError):
    """Another demand of the tenant has this `source_ref`; it may have come a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "source_ref_taken",
            "Another demand of yours has this `source_ref`.",
            "Đã có nhu cầu khác của bạn dùng `source_ref` này.",
        )


async def read(
    connection: AsyncConnection, demand_id: UUID, *, lock: bool = False
) -> Stored[Demand] | None:
    """Return one demand; `lock` keeps other writers out until the transaction ends."""
    return await _one(connection, select(demand).where(demand.c.id == demand_id), lock=lock)


async def read_by_ref(
    connection: AsyncConnection, owner: str, system: str, ref: str
) -> Stored[Demand] | None:
    """Return a tenant's demand by its sender's key."""
    query = select(demand).where(
        demand.c.owner == owner, demand.c.source_system == system, demand.c.source_ref == ref
    )
    return await _one(connection, query, lock=False)


async def lock_by_refs(
    connection: AsyncConnection, owner: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Stored[Demand]]:
    """Return those of a tenant's demands that have one of the keys, locked, in one query."""
    systems, refs = zip(*keys, strict=True) if keys else ((), ())
    wanted = func.unnest(literal(systems, ARRAY(Text)), literal(refs, ARRAY(Text)))
    pairs = wanted.table_valued("system", "ref").render_derived()
    key = tuple_(demand.c.source_system, demand.c.source_ref)
    query = (
        select(demand)
        .where(
            demand.c.owner == owner,
            key.in_(select(pairs.c.system, pairs.c.ref)),
        )
        .order_by(demand.c.id)
        .with_for_update()
    )
    rows = await connection.execute(query)
    return {(row.source_system, row.source_ref): _stored(row) for row in rows}


async def lock_due(connection: AsyncConnection, today: date, limit: int) -> list[Stored[Demand]]:
    """Return some demands whose day is over, locked; those that another holds are left out."""
    query = (
        select(demand)
        .where(demand.c.status.in_(LIVE), demand.c.needed_by < today)
        .order_by(demand.c.needed_by)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_stored(row) for row in await connection.execute(query)]


async def page(
    connection: AsyncConnection,
    caller: Caller,
    filters: DemandFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[Demand], UUID | None]:
    """Return the newest demands that the caller may see, and where the next page begins."""
    query = select(demand).where(visible_to(caller), *_conditions(filters))
    if after is not None:
        query = query.where(demand.c.id < after)
    rows = (await connection.execute(query.order_by(demand.c.id.desc()).limit(limit + 1))).all()
    items = [_stored(row).resource for row in rows[:limit]]
    return items, items[-1].id if len(rows) > limit else None


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """`domain.demand_policy.may_see` as a condition on rows."""
    if caller.is_operator:
        return true()
    shown = [Visibility.PUBLIC]
    if caller.sees_partners:
        shown.append(Visibility.PARTNERS)
    ways: list[ColumnElement[bool]] = [
        (demand.c.status == DemandStatus.PUBLISHED) & demand.c.visibility.in_(shown)
    ]
    if caller.tenant:
        ways.append(demand.c.owner == caller.tenant)
    if caller.role is Role.DOST and caller.province:
        ways.append(demand.c.province.in_(codes_of(caller.province)))
    return or_(*ways)


async def write(connection: AsyncConnection, changes: Sequence[Change[Demand]]) -> None:
    """Write the new states and their history; rows that are changed must be locked."""
    created = [_values(change.after) for change in changes if change.created]
    changed = [_values(change.after) for change in changes if not change.created]
    try:
        await insert_many(connection, demand, created)
        if changed:
            for values in changed:
                values["this_id"] = values.pop("id")
                del values["owner"], values["created_at"]
            statement = update(demand).where(demand.c.id == bindparam("this_id"))
            await connection.execute(statement, changed)
    except IntegrityError as error:
        if NATURAL_KEY in str(error.orig):
            raise NaturalKeyTakenError from error
        raise
    await write_history(connection, transition, [row for c in changes for row in _history(c)])


async def history(connection: AsyncConnection, demand_id: UUID) -> list[Transition]:
    """Return the moves of one demand."""
    return await read_history(connection, transition, demand_id)


def _conditions(filters: DemandFilter) -> Iterable[ColumnElement[bool]]:
    for name in ("status", "kind", "language", "enterprise_size"):
        if wanted := getattr(filters, name):
            yield demand.c[name].in_(wanted)
    if filters.province:
        yield demand.c.province.in_({code for p in filters.province for code in codes_of(p)})
    for name in ("fields", "industries"):
        if wanted := getattr(filters, name):
            # Spelt as the index is: a subscript or a bound key would pass the index by.
            codes = literal_column(f"(demand.profile -> '{name}')", JSONB)
            yield or_(*(codes.contains([code]) for code in wanted))
    for name in ("owner", "visibility", "open_for_interest", "source_system"):
        if (value := getattr(filters, name)) is not None:
            yield demand.c[name] == value


async def _one(
    connection: AsyncConnection, query: Select[Any], *, lock: bool
) -> Stored[Demand] | None:
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _stored(row) if row is not None else None


def _stored(row: Row[Any]) -> Stored[Demand]:
    content = DemandProfile.model_validate(row.profile).__dict__
    identity = {name: getattr(row, name) for name in _IDENTITY}
    identity["status"] = DemandStatus(row.status)
    return Stored(assemble(Demand, content | identity), row.announced)


def _values(stored: Stored[Demand]) -> dict[str, Any]:
    resource = stored.resource
    key = resource.source_ref
    return {
        "id": resource.id,
        "version": resource.version,
        "status": resource.status,
        "owner": resource.owner,
        "visibility": resource.visibility,
        "province": resource.province,
        "kind": resource.kind,
        "language": resource.language,
        "enterprise_size": resource.enterprise_size,
        "source_system": key.system if key else None,
        "source_ref": key.ref if key else None,
        "search_key": search_key(resource.title),
        "needed_by": resource.needed_by,
        "open_for_interest": resource.open_for_interest,
        "announced": stored.announced,
        "profile": profile_of(resource),
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
    }


def _history(change: Change[Demand]) -> list[dict[str, object]]:
    after = change.after.resource
    return history_rows(after.id, after.version, change.steps, after.updated_at)
