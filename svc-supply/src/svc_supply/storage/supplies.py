"""Reading and writing supplies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Change, Standing, Stored, Transition
from shared.contracts.supplies import Supply, SupplyFilter, SupplyStatus
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
from svc_supply.storage.tables import NATURAL_KEY, messaging, supply, transition

_TABLE = ResourceTable(supply, transition, NATURAL_KEY, outbox=messaging.outbox)
_SHOWN = f"owner, status, visibility, version, {BODY}"
_STORED = f"announced, {BODY}"
_HIDDEN = "NOT (status = 'PUBLISHED' AND visibility = 'PUBLIC')"
"""The rest is found by the way that is open to all; spelt as the indexes are."""


class NaturalKeyTakenError(ConflictError):
    """Another supply of the tenant has this natural key; it may have come a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "source_ref_taken",
            "Another supply of yours has this `source.system` and `source.ref`.",
            "Đã có nguồn cung khác của bạn dùng `source.system` và `source.ref` này.",
        )


@dataclass(frozen=True, slots=True)
class SupplyDocument:
    """A supply as its readers see it, unopened, and what the policy asks about it."""

    owner: str
    status: SupplyStatus
    visibility: Visibility
    version: int
    body: bytes


async def read_document(connection: AsyncConnection, supply_id: UUID) -> SupplyDocument | None:
    """Return one supply to be shown."""
    return await _document(connection, "id = $1", supply_id)


async def read_document_by_ref(
    connection: AsyncConnection, owner: str, system: str, ref: str
) -> SupplyDocument | None:
    """Return a tenant's supply by its sender's key."""
    key = "owner = $1 AND source_system = $2 AND source_ref = $3"
    return await _document(connection, key, owner, system, ref)


async def read(
    connection: AsyncConnection, supply_id: UUID, *, lock: bool = False
) -> Stored[Supply] | None:
    """Return one supply; `lock` keeps other writers out until the transaction ends."""
    query = f"SELECT {_STORED} FROM supply WHERE id = $1"
    record = await driver_of(connection).fetchrow(
        f"{query} FOR UPDATE" if lock else query, supply_id
    )
    return _stored(record) if record is not None else None


async def has_ref(connection: AsyncConnection, owner: str, key: tuple[str, str]) -> bool:
    """Say whether the tenant has a supply with this key, without waiting for anybody."""
    return await _TABLE.has_ref(connection, owner, key)


async def lock_by_refs(
    connection: AsyncConnection, owner: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Standing]:
    """Return how those of a tenant's supplies stand that have one of the keys, locked."""
    return await _TABLE.lock_by_refs(connection, owner, keys)


async def lock_due(connection: AsyncConnection, today: date, limit: int) -> list[Stored[Supply]]:
    """Return some supplies whose day is over, locked; those that another holds are left out."""
    records = await driver_of(connection).fetch(
        f"SELECT {_STORED} FROM supply"
        " WHERE status IN ('PUBLISHED', 'ON_HOLD') AND available_until < $1"
        " ORDER BY available_until LIMIT $2 FOR UPDATE SKIP LOCKED",
        today,
        limit,
    )
    return [_stored(record) for record in records]


async def page(
    connection: AsyncConnection,
    caller: Caller,
    filters: SupplyFilter,
    *,
    limit: int,
    after: UUID | None,
) -> tuple[list[bytes], UUID | None]:
    """Return the newest supplies that the caller may see, and where the next page begins."""
    where = Conditions()
    show_to(caller, where)
    _apply(filters, where)
    if after is not None:
        where.add(f"id < {where.value(after)}")
    query = where.newest("supply", limit + 1)
    records = await driver_of(connection).fetch(query, *where.values)
    last = records[limit - 1]["id"] if len(records) > limit else None
    return [record["body"] for record in records[:limit]], last


def show_to(caller: Caller, where: Conditions) -> None:
    """`domain.supply_policy.may_see` as a condition on rows."""
    if caller.is_operator:
        return
    shown = "IN ('PUBLIC', 'PARTNERS')" if caller.sees_partners else "= 'PUBLIC'"
    where.ways.append(f"status = 'PUBLISHED' AND visibility {shown}")
    if caller.tenant:
        where.ways.append(f"owner = {where.value(caller.tenant)} AND {_HIDDEN}")


def rows_of(changes: Iterable[Change[Supply]], documents: Iterable[bytes]) -> list[ResourceRow]:
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


async def history(connection: AsyncConnection, supply_id: UUID) -> list[Transition]:
    """Return the moves of one supply."""
    return await read_history(connection, transition, supply_id)


def _apply(filters: SupplyFilter, where: Conditions) -> None:
    for name in ("status", "kind", "language", "country", "legal_list"):
        if wanted := getattr(filters, name):
            where.any_of(name, wanted)
    for name in ("fields", "industries"):
        if wanted := getattr(filters, name):
            where.add(f"{name} && {where.value(wanted)}::text[]")
    for name in ("owner", "visibility", "source_kind", "source_system"):
        if (value := getattr(filters, name)) is not None:
            where.equals(name, value)


async def _document(
    connection: AsyncConnection, condition: str, *values: object
) -> SupplyDocument | None:
    query = f"SELECT {_SHOWN} FROM supply WHERE {condition}"
    record = await driver_of(connection).fetchrow(query, *values)
    if record is None:
        return None
    return SupplyDocument(
        owner=record["owner"],
        status=SupplyStatus(record["status"]),
        visibility=Visibility(record["visibility"]),
        version=record["version"],
        body=record["body"],
    )


def _stored(record: Record) -> Stored[Supply]:
    return Stored(Supply.model_validate_json(record["body"]), record["announced"])


def _row(change: Change[Supply], body: bytes) -> ResourceRow:
    resource = change.after.resource
    return ResourceRow(
        id=resource.id,
        version=resource.version,
        at=resource.updated_at,
        values=_TABLE.ordered(_values(change, body)),
        steps=change.steps,
        created=change.created,
    )


def _values(change: Change[Supply], body: bytes) -> dict[str, Any]:
    resource = change.after.resource
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
        "announced": change.after.announced,
        "fields": resource.fields,
        "industries": resource.industries,
        "digest": change.digest,
        "document": body.decode(),
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
    }
