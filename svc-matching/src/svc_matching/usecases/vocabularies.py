"""Search and read the technology vocabulary as curators last left it."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kernel.errors import NotFoundError
from svc_matching.domain.catalogue import Catalogue, Position
from svc_matching.domain.vocabularies import (
    ConceptPage,
    ConceptSelection,
    TechnologyConcept,
    VersionPage,
    VocabularyVersion,
)
from svc_matching.engine.vocabulary import Vocabulary, load_vocabulary
from svc_matching.storage import epochs
from svc_matching.storage import vocabularies as store


async def read_vocabulary(connection: AsyncConnection, revision: int) -> Vocabulary:
    """Return what ships with this version and what was accepted up to a revision."""
    shipped = await asyncio.to_thread(load_vocabulary)
    if not revision:
        return shipped
    curated = await store.read_curated(connection, revision)
    return shipped.with_changes(revision, {each.concept.id: each.concept for each in curated})


class Catalogues:
    """The newest vocabulary, arranged once for all who ask while it is the newest."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._newest: tuple[store.Head, Catalogue] | None = None

    async def newest(self, connection: AsyncConnection) -> tuple[int, Catalogue]:
        """Return the newest revision's number and its concepts."""
        head = await store.read_head(connection)
        async with self._lock:
            if self._newest is None or self._newest[0] != head:
                curated = await store.read_curated(connection, head.number)
                catalogue = await asyncio.to_thread(_arrange, head.number, curated)
                self._newest = head, catalogue
            return head.number, self._newest[1]


def _arrange(revision: int, curated: list[store.Curated]) -> Catalogue:
    shipped = load_vocabulary()
    whole = shipped.with_changes(revision, {each.concept.id: each.concept for each in curated})
    return Catalogue(
        version=whole.version,
        concepts=whole.concepts,
        shipped_version=shipped.version,
        shipped=frozenset(shipped.concepts),
        changed={each.concept.id: each.since for each in curated},
    )


async def list_concepts(
    connection: AsyncConnection,
    catalogues: Catalogues,
    wanted: ConceptSelection,
    after: Position | None,
    limit: int,
) -> tuple[ConceptPage, Position | None]:
    """Return the concepts that answer, best first, and where the next page begins."""
    _, catalogue = await catalogues.newest(connection)
    items, end = await asyncio.to_thread(catalogue.search, wanted, after, limit)
    return ConceptPage(items=items, version=catalogue.version), end


async def read_concept(
    connection: AsyncConnection, catalogues: Catalogues, concept_id: str
) -> TechnologyConcept:
    _, catalogue = await catalogues.newest(connection)
    if concept_id not in catalogue.concepts:
        raise NotFoundError("not_found", "No such concept.", "Không tìm thấy khái niệm.")
    return await asyncio.to_thread(catalogue.shown, concept_id)


async def list_versions(
    connection: AsyncConnection, catalogues: Catalogues, before: int | None, limit: int
) -> tuple[VersionPage, int | None]:
    """Return the versions, newest first, down to the one that ships."""
    _, catalogue = await catalogues.newest(connection)
    found = await store.read_page(connection, limit + 1, before)
    epoch = await epochs.read_newest(connection)
    items = [
        VocabularyVersion(
            version=row.vocabulary_version,
            revision=row.number,
            concept_id=row.concept_id,
            proposal_id=row.proposal_id,
            created_at=row.created_at,
        )
        for row in found[:limit]
    ]
    if len(found) <= limit - 1:
        items.append(VocabularyVersion(version=catalogue.shipped_version, revision=0))
        following = None
    else:
        following = items[-1].revision
    page = VersionPage(
        items=items,
        version=catalogue.version,
        in_use=epoch.vocabulary_version if epoch is not None else catalogue.shipped_version,
    )
    return page, following
