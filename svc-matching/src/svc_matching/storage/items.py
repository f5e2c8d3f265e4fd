"""Copies of demands and supplies."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Text, cast, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from svc_matching.domain.items import LIVE, OPEN, Age, Item, ItemKind
from svc_matching.storage.tables import demand_state, item

_CHUNK = 1000
# Long texts that only the analysis needed; the index starts without them.
_PROSE = [
    "summary",
    "description",
    "translations",
    "benefits",
    "demonstration",
    "references",
    "keywords",
    "current_technology",
    "expected_outcome",
]


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One copy as the index needs it; `bar` is the demand's, 0 when it has none."""

    id: UUID
    kind: ItemKind
    status: str
    profile: dict[str, Any]
    analyser: str
    analysis: bytes
    bar: int


async def read_ages(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Age]:
    """Return how new the copies are that we have."""
    found = await connection.execute(
        select(item.c.id, item.c.db_epoch, item.c.version).where(item.c.id.in_(list(ids)))
    )
    return {row.id: Age(row.db_epoch, row.version) for row in found}


async def upsert(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write copies; one that is not newer than what is there changes nothing."""
    statement = insert(item)
    newer = tuple_(statement.excluded.db_epoch, statement.excluded.version) > tuple_(
        item.c.db_epoch, item.c.version
    )
    changed = {
        column.name: statement.excluded[column.name]
        for column in item.c
        if column.name not in ("id", "kind")
    }
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[item.c.id], set_=changed, where=newer),
        list(rows),
    )


async def store_analysis(
    connection: AsyncConnection, item_id: UUID, analyser: str, analysis: bytes
) -> None:
    """Replace the terms of a copy, after the analyser has changed."""
    await connection.execute(
        update(item).where(item.c.id == item_id).values(analyser=analyser, analysis=analysis)
    )


def _item(row: Row[Any]) -> Item:
    return Item(
        id=row.id,
        kind=ItemKind(row.kind),
        version=row.version,
        status=row.status,
        owner=row.owner,
        visibility=Visibility(row.visibility),
        province=row.province,
    )


async def read_items(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Item]:
    """Return what the policy needs of some copies."""
    columns = [column for column in item.c if column.name not in ("profile", "analysis")]
    found = await connection.execute(select(*columns).where(item.c.id.in_(list(ids))))
    return {row.id: _item(row) for row in found}


async def read_item(connection: AsyncConnection, item_id: UUID, kind: ItemKind) -> Item | None:
    found = (await read_items(connection, [item_id])).get(item_id)
    return found if found is not None and found.kind is kind else None


async def read_profiles(
    connection: AsyncConnection, ids: Iterable[UUID]
) -> dict[UUID, dict[str, Any]]:
    found = await connection.execute(
        select(item.c.id, item.c.profile).where(item.c.id.in_(list(ids)))
    )
    return {row.id: row.profile for row in found}


async def read_rows(connection: AsyncConnection, ids: Iterable[UUID]) -> list[ItemRow]:
    """Return some copies as the index needs them."""
    found = await connection.execute(_index_rows().where(item.c.id.in_(list(ids))))
    return [_item_row(row) for row in found]


async def stream_rows(
    connection: AsyncConnection, kind: ItemKind, statuses: Iterable[str]
) -> AsyncIterator[list[ItemRow]]:
    """Yield all copies of a kind in some statuses, a thousand at a time."""
    last: UUID | None = None
    while True:
        statement = _index_rows().where(item.c.kind == kind, item.c.status.in_(list(statuses)))
        if last is not None:
            statement = statement.where(item.c.id > last)
        found = (await connection.execute(statement.order_by(item.c.id).limit(_CHUNK))).all()
        if not found:
            return
        yield [_item_row(row) for row in found]
        last = found[-1].id


def _index_rows() -> Any:
    slim = item.c.profile.op("-")(cast(literal(_PROSE), ARRAY(Text)))
    return (
        select(
            item.c.id,
            item.c.kind,
            item.c.status,
            slim.label("profile"),
            item.c.analyser,
            item.c.analysis,
            func.coalesce(demand_state.c.bar, 0).label("bar"),
        )
        .select_from(item)
        .outerjoin(demand_state, demand_state.c.demand_id == item.c.id)
    )


def _item_row(row: Row[Any]) -> ItemRow:
    return ItemRow(
        id=row.id,
        kind=ItemKind(row.kind),
        status=row.status,
        profile=row.profile,
        analyser=row.analyser,
        analysis=row.analysis,
        bar=row.bar,
    )


async def count_open(connection: AsyncConnection) -> tuple[int, int]:
    """Return how many demands are open and how many supplies are ranked."""
    found = await connection.execute(
        select(item.c.kind, func.count().label("counted"))
        .where(
            ((item.c.kind == ItemKind.DEMAND) & (item.c.status == OPEN))
            | ((item.c.kind == ItemKind.SUPPLY) & (item.c.status == LIVE))
        )
        .group_by(item.c.kind)
    )
    counts = {row.kind: row.counted for row in found}
    return counts.get(ItemKind.DEMAND, 0), counts.get(ItemKind.SUPPLY, 0)


async def read_first_fields(
    connection: AsyncConnection, demand_ids: Iterable[UUID]
) -> dict[UUID, str | None]:
    """Return the first field code of some demands."""
    first = item.c.profile["fields"][0].astext.label("field")
    found = await connection.execute(
        select(item.c.id, first).where(item.c.id.in_(list(demand_ids)))
    )
    return {row.id: row.field for row in found}
