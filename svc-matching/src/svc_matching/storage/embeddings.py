"""Embeddings beside the items they are of; `embedder` alone says that its embedder gives none."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, Text, bindparam, cast, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import Age, ItemKind
from svc_matching.storage.bulk import among, as_columns, as_fixed, given_rows
from svc_matching.storage.tables import item

_CHUNK = 1000
_NAMES = ("id", "db_epoch", "version", "embedding")
_GIVEN = given_rows([item.c[name] for name in _NAMES])
_WRITE = (
    update(item)
    .where(
        item.c.id == _GIVEN.c.id,
        item.c.db_epoch == _GIVEN.c.db_epoch,
        item.c.version == _GIVEN.c.version,
    )
    .values(embedding=_GIVEN.c.embedding, embedder=bindparam("item_embedder", type_=Text))
    .returning(item.c.id)
)
_PROFILES = select(
    item.c.id, item.c.kind, item.c.db_epoch, item.c.version, cast(item.c.profile, Text)
).where(among(item.c.id, "ids"), item.c.embedder.is_distinct_from(bindparam("embedder")))


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A copy without an embedding of the embedder that was asked for; `profile` is JSON text."""

    id: UUID
    kind: ItemKind
    age: Age
    profile: str


async def read_unembedded(
    connection: AsyncConnection, ids: Collection[UUID], embedder: str
) -> list[Unembedded]:
    """Return those of some copies that the embedder has not seen in their present text."""
    found = await connection.execute(_PROFILES, {"ids": list(ids), "embedder": embedder})
    return [
        Unembedded(item_id, ItemKind(kind), Age(db_epoch, version), profile)
        for item_id, kind, db_epoch, version, profile in found.all()
    ]


async def write(
    connection: AsyncConnection,
    embedder: str,
    made: Sequence[tuple[Unembedded, bytes | None]],
) -> set[UUID]:
    """Keep what the embedder made; a copy that is another version by now waits. Returns the rest.

    None says that the embedder gives no embedding of this text.
    """
    rows = [(each.id, each.age.db_epoch, each.age.version, packed) for each, packed in made]
    given = as_columns(item, _NAMES, rows) | as_fixed(item, {"embedder": embedder})
    return set(await connection.scalars(_WRITE, given))


async def read_some(
    connection: AsyncConnection, ids: Collection[UUID], embedder: str
) -> Mapping[UUID, bytes]:
    """Return the embeddings of some items as far as the embedder has made them."""
    statement = select(item.c.id, item.c.embedding).where(
        among(item.c.id, "ids"), item.c.embedder == embedder, item.c.embedding.is_not(None)
    )
    found = await connection.execute(statement, {"ids": list(ids)})
    return {row.id: row.embedding for row in found}


async def stream(connection: AsyncConnection, embedder: str) -> AsyncIterator[dict[UUID, bytes]]:
    """Yield all embeddings that the embedder has made, a thousand at a time."""
    made = select(item.c.id, item.c.embedding).where(
        item.c.embedder == embedder, item.c.embedding.is_not(None)
    )
    async for rows in _stream(connection, made, {}):
        yield {row.id: row.embedding for row in rows}


async def stream_unseen(
    connection: AsyncConnection, embedder: str, ids: Collection[UUID] | None = None
) -> AsyncIterator[list[UUID]]:
    """Yield which of some copies, or of all, the embedder has not seen in their present text."""
    unseen, given = select(item.c.id).where(item.c.embedder.is_distinct_from(embedder)), {}
    if ids is not None:
        unseen, given = unseen.where(among(item.c.id, "ids")), {"ids": list(ids)}
    async for rows in _stream(connection, unseen, given):
        yield [row.id for row in rows]


async def _stream(
    connection: AsyncConnection, statement: Select[Any], given: Mapping[str, Any]
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield rows by item id, a thousand at a time."""
    last = UUID(int=0)
    while True:
        chunk = statement.where(item.c.id > last).order_by(item.c.id).limit(_CHUNK)
        found = (await connection.execute(chunk, given)).all()
        if not found:
            return
        yield found
        last = found[-1].id
