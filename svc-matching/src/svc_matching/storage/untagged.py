"""Texts of published demands and supplies, a few at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, cast, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from svc_matching.domain.items import LIVE, OPEN, ItemKind
from svc_matching.storage.items import seen_by
from svc_matching.storage.tables import item

_PUBLISHED = {ItemKind.DEMAND: OPEN.value, ItemKind.SUPPLY: LIVE.value}


@dataclass(frozen=True, slots=True)
class Published:
    """A published demand or supply; `profile` is JSON text."""

    id: UUID
    kind: ItemKind
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Whose texts may be read; `visibilities` None means all."""

    visibilities: Iterable[Visibility] | None
    owner: str
    provinces: Iterable[str]


async def read_published(
    connection: AsyncConnection,
    kind: ItemKind,
    sight: Sight,
    language: str | None,
    before: UUID | None,
    limit: int,
) -> list[Published]:
    """Return texts that may be in a language, the newest first."""
    statement = (
        select(item.c.id, cast(item.c.profile, Text))
        .where(item.c.kind == kind, item.c.status == _PUBLISHED[kind])
        .order_by(item.c.id.desc())
        .limit(limit)
    )
    if sight.visibilities is not None:
        statement = statement.where(seen_by(sight.visibilities, sight.owner, sight.provinces))
    if language is not None:
        declared = item.c.profile["language"].astext
        statement = statement.where(or_(declared.is_(None), declared == language))
    if before is not None:
        statement = statement.where(item.c.id < before)
    found = await connection.execute(statement)
    return [Published(item_id, kind, profile) for item_id, profile in found.all()]
