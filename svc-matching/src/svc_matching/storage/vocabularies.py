"""What curators accepted: the log of revisions, and the concepts as a revision left them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.vocabularies import Concept
from svc_matching.storage.tables import vocabulary_revision as revision

_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtext('vocabulary'), hashtext(current_schema()::text))"
)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest revision; number 0 before the first change."""

    number: int = 0
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Curated:
    """A concept as curators left it, and the version since when."""

    concept: Concept
    since: str


async def lock(connection: AsyncConnection) -> None:
    """Let one transaction at a time change the vocabulary; it ends with the transaction."""
    await connection.execute(_LOCK)


async def read_head(connection: AsyncConnection) -> Head:
    found = await connection.execute(
        select(revision.c.number, revision.c.created_at).order_by(revision.c.number.desc()).limit(1)
    )
    row = found.one_or_none()
    return Head(*row) if row else Head()


async def read_curated(connection: AsyncConnection, upto: int) -> list[Curated]:
    """Return each changed concept as revision `upto` left it."""
    found = await connection.execute(
        select(revision.c.concept, revision.c.vocabulary_version)
        .ext(distinct_on(revision.c.concept_id))
        .where(revision.c.number <= upto)
        .order_by(revision.c.concept_id, revision.c.number.desc())
    )
    return [Curated(_concept(stored), since) for stored, since in found]


def _concept(stored: dict[str, Any]) -> Concept:
    labels = {language: tuple(labels) for language, labels in stored["labels"].items()}
    return Concept(
        stored["id"], stored["sector"], tuple(stored["broader"]), labels, stored["deprecated"]
    )


async def append(connection: AsyncConnection, concept: Concept, row: dict[str, Any]) -> None:
    """Write the next revision; the caller holds the lock."""
    stored = {"concept_id": concept.id, "concept": asdict(concept)}
    await connection.execute(insert(revision).values(**row, **stored))


async def read_page(
    connection: AsyncConnection, limit: int, before: int | None
) -> Sequence[Row[Any]]:
    """Return revisions, newest first."""
    statement = select(revision).order_by(revision.c.number.desc()).limit(limit)
    if before is not None:
        statement = statement.where(revision.c.number < before)
    return (await connection.execute(statement)).all()
