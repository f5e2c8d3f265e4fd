"""Reading and writing demands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from shared.contracts.demands import Demand, DemandFilter, DemandStatus
from shared.contracts.identity import Caller, Role
from shared.contracts.lifecycles import Change, Standing, Stored, Transition
from shared.contracts.places import codes_of
from shared.db.database import driver_of
from shared.db.history import read_history
from shared.db.resources import (
    BODY,
    Conditions,
    KeyTakenError,
    Record,
    ResourceRow,
    ResourceTable,
)
from shared.kernel.errors import ConflictError
from shared.kernel.text import search_key
from svc_demand.storage.tables import NATURAL_KEY, demand, messaging, transition

_TABLE = ResourceTable(demand, transition, NATURAL_KEY, outbox=messaging.outbox)
_SHOWN = f"owner, status, visibility, province, version, {BODY}"
_STORED = f"announced, {BODY}"
_HIDDEN = "NOT (status = 'PUBLISHED' AND visibility = 'PUBLIC')"
"""The rest is found by the way that is open to all; spelt as the indexes are."""


class NaturalKeyTakenError(ConflictError):
    """Another demand of the tenant has this `source_ref`; it may have come a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "source_ref_taken",
            "Another demand of yours has this `source_ref`.",
            "Đã có nhu cầu khác của bạn dùng `source_ref` này.",
        )


@dataclass(frozen=True, slots=True)
class DemandDocument:
    """A demand as its readers see it, unopened, and what the policy asks about it."""

    owner: str
    status: DemandStatus
    visibility: Visibility
    province: str | None
    version: int
    body: bytes


async def read_document(connection: AsyncConnection, demand_id: UUID) -> DemandDocument | None:
    """Return one demand to be shown."""
    return await _document(connection, "id = $1", demand_id)


async def read_document_by_ref(
    connection: AsyncConnection, owner: str, system: str, ref: str
) -> DemandDocument | None:
    """Return a tenant's demand by its sender's key."""
    key = "owner = $1 AND source_system = $2 AND source_ref = $3"
    return await _document(connection, key, owner, system, ref)


async def read(
    connection: AsyncConnection, demand_id: UUID, *, lock: bool = False
) -> Stored[Demand] | None:
    """Return one demand; `lock` keeps other writers out until the transaction ends."""
    query = f"SELECT {_STORED} FROM demand WHERE id = $1"
    record = await driver_of(connection).fetchrow(
        f"{query} FOR UPDATE" if lock else query, demand_id
    )
    return _stored(record) if record is not None else None


async def has_ref(connection: AsyncConnection, owner: str, key: tuple[str, str]) -> bool:
    """Say whether the tenant has a demand with this key, without waiting for anybody."""
    return await _TABLE.has_ref(connection, owner, key)


async def lock_by_refs(
    connection: AsyncConnection, owner: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Standing]:
    """Return how those of a tenant's demands stand that have one of the keys, locked."""
    return await _TABLE.lock_by_refs(connection, owner, keys)


async def lock_due(connection: AsyncConnection, today: date, limit: int) -> list[Stored[Demand]]:
    """Return some demands whose day is over, locked; those that another holds are left out."""
    records = await driver_of(connection).fetch(
        f"SELECT {_STORED} FROM demand"
        " WHERE status IN ('PUBLISHED', 'ON_HOLD') AND needed_by < $1"
        " ORDER BY needed_by LIMIT $2 FOR UPDATE SKIP LOCKED",
        today,
        limit,
    )
    return [_stored(record) for record in records]


async def page(
    connection: AsyncConnection,
    caller: Caller,
    filters: DemandFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[bytes], UUID | None]:
    """Return the newest demands that the caller may see, and where the next page begins."""
    where = Conditions()
    show_to(caller, where)
    _apply(filters, where)
    if after is not None:
        where.add(f"id < {where.value(after)}")
    query = where.newest("demand", limit + 1)
    records = await driver_of(connection).fetch(query, *where.values)
    last = records[limit - 1]["id"] if len(records) > limit else None
    return [record["body"] for record in records[:limit]], last


def show_to(caller: Caller, where: Conditions) -> None:
    """`domain.demand_policy.may_see` as a condition on rows."""
    if caller.is_operator:
        return
    shown = "IN ('PUBLIC', 'PARTNERS')" if caller.sees_partners else "= 'PUBLIC'"
    where.ways.append(f"status = 'PUBLISHED' AND visibility {shown}")
    if caller.tenant:
        where.ways.append(f"owner = {where.value(caller.tenant)} AND {_HIDDEN}")
    if caller.role is Role.DOST and caller.province:
        codes = where.value(codes_of(caller.province))
        where.ways.append(f"province = ANY({codes}::text[]) AND {_HIDDEN}")


def rows_of(changes: Iterable[Change[Demand]], documents: Iterable[bytes]) -> list[ResourceRow]:
    """Return what `write` writes: all the computing there is, and none of the waiting."""
    return [_row(change, body) for change, body in zip(changes, documents, strict=True)]


async def write(
    connection: AsyncConnection,
    rows: Sequence[ResourceRow],
    events: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the new states and their history; rows that are changed must be locked.

    `events` are outbox rows about them, each with its row's document.
    """
    try:
        await _TABLE.write(connection, rows, events)
    except KeyTakenError as error:
        raise NaturalKeyTakenError from error


async def history(connection: AsyncConnection, demand_id: UUID) -> list[Transition]:
    """Return the moves of one demand."""
    return await read_history(connection, transition, demand_id)


def _apply(filters: DemandFilter, where: Conditions) -> None:
    for name in ("status", "kind", "language", "enterprise_size"):
        if wanted := getattr(filters, name):
            where.any_of(name, wanted)
    if filters.province:
        where.any_of("province", [code for p in filters.province for code in codes_of(p)])
    for name in ("fields", "industries"):
        if wanted := getattr(filters, name):
            where.add(f"{name} && {where.value(wanted)}::text[]")
    for name in ("owner", "visibility", "open_for_interest", "source_system"):
        if (value := getattr(filters, name)) is not None:
            where.equals(name, value)


async def _document(
    connection: AsyncConnection, condition: str, *values: object
) -> DemandDocument | None:
    query = f"SELECT {_SHOWN} FROM demand WHERE {condition}"
    record = await driver_of(connection).fetchrow(query, *values)
    if record is None:
        return None
    return DemandDocument(
        owner=record["owner"],
        status=DemandStatus(record["status"]),
        visibility=Visibility(record["visibility"]),
        province=record["province"],
        version=record["version"],
        body=record["body"],
    )


def _stored(record: Record) -> Stored[Demand]:
    return Stored(Demand.model_validate_json(record["body"]), record["announced"])


def _row(change: Change[Demand], body: bytes) -> ResourceRow:
    resource = change.after.resource
    return ResourceRow(
        id=resource.id,
        version=resource.version,
        at=resource.updated_at,
        values=_TABLE.ordered(_values(change, body)),
        steps=change.steps,
        created=change.created,
    )


def _values(change: Change[Demand], body: bytes) -> dict[str, Any]:
    resource = change.after.resource
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
        "announced": change.after.announced,
        "fields": resource.fields,
        "industries": resource.industries,
        "digest": change.digest,
        "document": body.decode(),
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
    }
