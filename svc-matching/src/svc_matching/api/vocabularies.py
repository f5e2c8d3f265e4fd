"""The routes of `/v1/vocabularies/technology` that anybody may read."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from shared.contracts.base import Line256
from shared.http.auth import AnyCaller
from shared.http.lists import PageQuery, Paging
from svc_matching.api.connections import Reading, Words
from svc_matching.domain.vocabularies import (
    ConceptId,
    ConceptPage,
    ConceptSelection,
    ConceptStatus,
    Language,
    Origin,
    TechnologyConcept,
    VersionPage,
)
from svc_matching.usecases import vocabularies

router = APIRouter(prefix="/v1/vocabularies/technology", tags=["vocabularies"])


class ConceptQuery(PageQuery):
    """A search; everything may be left out."""

    q: Line256 | None = None
    language: Language | None = None
    sector: ConceptId | None = None
    broader: ConceptId | None = None
    origin: Origin | None = None
    status: ConceptStatus | None = None

    def selection(self) -> ConceptSelection:
        return ConceptSelection(
            q=self.q,
            language=self.language,
            sector=self.sector,
            broader=self.broader,
            origin=self.origin,
            status=self.status,
        )


@router.get("", summary="Tra từ vựng công nghệ · Search the technology vocabulary")
async def get_concepts(
    request: Request,
    caller: AnyCaller,
    connection: Reading,
    words: Words,
    query: Annotated[ConceptQuery, Query()],
) -> ConceptPage:
    """Khái niệm có nhãn chứa `q`, gõ có dấu hay không dấu, trong mọi ngôn ngữ hoặc một `language`.

    Concepts of the newest version with a label that contains `q`, with or without Vietnamese
    marks, in any language or in `language` alone: first those that are called just so, then those
    that begin with it. `sector` is the id of a sector's root, `broader` of a concept right above.
    """
    paging = Paging(request, caller, query)
    after = (int(paging.after[0]), str(paging.after[1])) if paging.after else None
    page, end = await vocabularies.list_concepts(
        connection, words, query.selection(), after, query.limit
    )
    return page.model_copy(update={"next_cursor": paging.next_cursor(list(end) if end else None)})


@router.get("/versions", summary="Các phiên bản từ vựng · List the vocabulary's versions")
async def get_vocabulary_versions(
    request: Request,
    caller: AnyCaller,
    connection: Reading,
    words: Words,
    query: Annotated[PageQuery, Query()],
) -> VersionPage:
    """Every accepted change makes a version, newest first; the last is what ships.

    `in_use` is the version that texts are read with: a newer one comes to use with the next index
    epoch, some moments after the change was accepted.
    """
    paging = Paging(request, caller, query)
    before = int(paging.after[0]) if paging.after else None
    page, end = await vocabularies.list_versions(connection, words, before, query.limit)
    return page.model_copy(update={"next_cursor": paging.next_cursor([end] if end else None)})


@router.get("/{concept_id}", summary="Đọc một khái niệm · Read a concept")
async def get_concept(
    connection: Reading, words: Words, concept_id: Annotated[ConceptId, Path()]
) -> TechnologyConcept:
    """Labels in each language, the preferred one first, with what is broader and narrower."""
    return await vocabularies.read_concept(connection, words, concept_id)
