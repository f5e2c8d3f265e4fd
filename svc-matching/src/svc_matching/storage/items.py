"""Copies of demands and supplies."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Row,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from svc_matching.domain.embeddings import TEXT_FIELDS
from svc_matching.domain.items import LIVE, OPEN, Age, Item, ItemKind
from svc_matching.storage.bulk import among, as_columns, upsert_given
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
    """One copy as the index needs it; `bar` is the demand's, 0 when it has none.

    `profile` is JSON text.
    """

    id: UUID
    kind: ItemKind
    status: str
    profile: str
    analyser: str
    analysis: bytes
    bar: int


@dataclass(frozen=True, slots=True)
class Written:
    """A copy that was written; what was embedded stays while the text is the same."""

    is_new: bool
    embedding: bytes | None
    embedder: str | None


_EMBEDDED = ("embedding", "embedder")
_COLUMNS = tuple(column.name for column in item.c if column.name not in _EMBEDDED)
_GIVEN_PROFILE: ColumnElement[Any] = literal_column("excluded.profile", JSONB)
_SAME_TEXT = and_(
    *(
        item.c.profile[name].astext.is_not_distinct_from(_GIVEN_PROFILE[name].astext)
        for name in TEXT_FIELDS
    )
)
# A row without a deleting transaction was inserted, not replaced.
_IS_NEW = literal_column("(item.xmax = 0)", Boolean).label("is_new")
# A demand is published again after a break; the first time is the one that counts.
_FIRST = func.least(item.c.published_at, literal_column("excluded.published_at"))
_WRITE = upsert_given(
    item,
    _COLUMNS,
    key=("id",),
    kept=("kind",),
    changed={
        "published_at": _FIRST,
        **{name: case((_SAME_TEXT, item.c[name])) for name in _EMBEDDED},
    },
    newer=("db_epoch", "version"),
).returning(item.c.id, _IS_NEW, item.c.embedding, item.c.embedder)
_AGES = select(item.c.id, item.c.db_epoch, item.c.version).where(among(item.c.id, "ids"))
_HEADS = select(item.c.id, item.c.version, item.c.province).where(among(item.c.id, "ids"))
_COPIES = select(
    item.c.id, item.c.version, item.c.status, cast(item.c.profile, Text), item.c.analysis
).where(among(item.c.id, "ids"))
_LARGE = ("profile", "analysis", "embedding")
_ITEMS = select(*(column for column in item.c if column.name not in _LARGE)).where(
    among(item.c.id, "ids")
)


async def read_ages(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Age]:
    """Return how new the copies are that we have."""
    found = await connection.execute(_AGES, {"ids": list(ids)})
    return {item_id: Age(db_epoch, version) for item_id, db_epoch, version in found.all()}


async def read_ages_of(
    connection: AsyncConnection, kind: ItemKind, statuses: Iterable[str]
) -> dict[UUID, Age]:
    """Return how new all copies of a kind in some statuses are."""
    statement = select(item.c.id, item.c.db_epoch, item.c.version).where(
        item.c.kind == kind, item.c.status.in_(list(statuses))
    )
    found = await connection.execute(statement)
    return {item_id: Age(db_epoch, version) for item_id, db_epoch, version in found.all()}


async def write(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> dict[UUID, Written]:
    """Write copies; one that is not newer than what is there changes nothing.

    `profile` is given as JSON text. Returns what was written, by id.
    """
    given = as_columns(item, _COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
    found = await connection.execute(_WRITE, given)
    return {row.id: Written(row.is_new, row.embedding, row.embedder) for row in found}


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
    found = await connection.execute(_ITEMS, {"ids": list(ids)})
    return {row.id: _item(row) for row in found}


async def read_item(connection: AsyncConnection, item_id: UUID, kind: ItemKind) -> Item | None:
    found = (await read_items(connection, [item_id])).get(item_id)
    return found if found is not None and found.kind is kind else None


@dataclass(frozen=True, slots=True)
class Head:
    """What a list needs of either side."""

    version: int
    province: str | None


async def read_heads(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Head]:
    found = await connection.execute(_HEADS, {"ids": list(ids)})
    return {item_id: Head(version, province) for item_id, version, province in found.all()}


@dataclass(frozen=True, slots=True)
class Copy:
    """A whole copy for a reader; `profile` is JSON text."""

    version: int
    status: str
    profile: str
    analysis: bytes


async def read_copies(connection: AsyncConnection, ids: Iterable[UUID]) -> dict[UUID, Copy]:
    found = await connection.execute(_COPIES, {"ids": list(ids)})
    return {item_id: Copy(*copied) for item_id, *copied in found.all()}


async def read_rows(connection: AsyncConnection, ids: Iterable[UUID]) -> list[ItemRow]:
    """Return some copies as the index needs them."""
    statement = _index_rows().where(among(item.c.id, "ids"))
    found = await connection.execute(statement, {"ids": list(ids)})
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
            cast(slim, Text).label("profile"),
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


def seen_by(
    visibilities: Iterable[Visibility], owner: str, provinces: Iterable[str]
) -> ColumnElement[bool]:
    """`domain.matches.is_visible_to` as a condition on published demands.

    The demand's own tenant and the DOST of one of `provinces` see it always.
    """
    return or_(
        item.c.visibility.in_(list(visibilities)),
        item.c.owner == owner,
        item.c.province.in_(list(provinces)),
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
