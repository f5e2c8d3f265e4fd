"""Analyses made with the next vocabulary, beside those that the index is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, cast, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.items import ItemKind
from svc_matching.storage.bulk import as_columns, upsert_given
from svc_matching.storage.tables import item, item_next

_COLUMNS = ("item_id", "version", "db_epoch", "analyser", "analysis")
_WRITE = upsert_given(item_next, _COLUMNS, key=("item_id",))
_OF_THIS_VERSION = and_(
    item_next.c.item_id == item.c.id,
    item_next.c.version == item.c.version,
    item_next.c.db_epoch == item.c.db_epoch,
    item_next.c.analyser == bindparam("mark"),
)
_TAKE_OVER = (
    update(item)
    .where(_OF_THIS_VERSION, item_next.c.analysis.is_not(None))
    .values(analysis=item_next.c.analysis)
    .returning(item.c.id)
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A copy that has no analysis by the next vocabulary yet; `profile` is JSON text."""

    id: UUID
    kind: ItemKind
    version: int
    db_epoch: int
    profile: str
    analysis: bytes


async def read_waiting(
    connection: AsyncConnection,
    analyser: str,
    statuses: Mapping[ItemKind, Iterable[str]],
    after: UUID | None,
    limit: int,
) -> list[Waiting]:
    """Return copies in some statuses that wait, by id from behind `after` on."""
    indexed = or_(
        *(and_(item.c.kind == kind, item.c.status.in_(list(of))) for kind, of in statuses.items())
    )
    statement = (
        select(
            item.c.id,
            item.c.kind,
            item.c.version,
            item.c.db_epoch,
            cast(item.c.profile, Text),
            item.c.analysis,
        )
        .outerjoin(item_next, _OF_THIS_VERSION)
        .where(indexed, item_next.c.item_id.is_(None))
        .order_by(item.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(item.c.id > after)
    found = await connection.execute(statement, {"mark": analyser})
    return [Waiting(item_id, ItemKind(kind), *rest) for item_id, kind, *rest in found.all()]


async def write(
    connection: AsyncConnection, analyser: str, made: Sequence[tuple[Waiting, bytes]]
) -> None:
    """Keep analyses; of one that says what the present one says, only that it was made."""
    rows = [
        (of.id, of.version, of.db_epoch, analyser, made if made != of.analysis else None)
        for of, made in made
    ]
    await connection.execute(_WRITE, as_columns(item_next, _COLUMNS, rows))


async def take_over(connection: AsyncConnection, analyser: str) -> list[UUID]:
    """Put the analyses that differ in the place of the present ones; return whose they are."""
    changed = list(await connection.scalars(_TAKE_OVER, {"mark": analyser}))
    await connection.execute(delete(item_next))
    return changed
