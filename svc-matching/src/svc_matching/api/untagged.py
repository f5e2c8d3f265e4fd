"""The route of `/v1/vocabularies/technology/untagged`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.identity import Caller, Scope
from shared.http.auth import require_scope
from svc_matching.domain.untagged import UntaggedReport
from svc_matching.domain.vocabularies import Language
from svc_matching.usecases.untagged import UntaggedReports

router = APIRouter(prefix="/v1/vocabularies/technology", tags=["vocabularies"])


class UntaggedQuery(Contract):
    language: Language | None = Field(None, description="Only texts in this language.")
    limit: int = Field(50, ge=1, le=200, description="Phrases in the report.")


async def _reports(request: Request) -> UntaggedReports:
    reports: UntaggedReports = request.app.state.untagged
    return reports


@router.get("/untagged", summary="Từ chưa có trong bộ từ vựng · Frequent untagged words")
async def get_untagged(
    caller: Annotated[Caller, Depends(require_scope(Scope.VOCABULARIES_CURATE))],
    reports: Annotated[UntaggedReports, Depends(_reports)],
    query: Annotated[UntaggedQuery, Query()],
) -> UntaggedReport:
    """Những cụm từ hay gặp trong nhu cầu và nguồn cung đang công bố mà chưa khái niệm nào có.

    Phrases of the newest published demands and supplies, 500 of each, that stand outside of every
    concept's labels and in two texts or more: what to propose next. For curators. One report is
    made at a time: 503 `report_busy` with `Retry-After`.
    """
    return await reports.report(caller, query.language, query.limit)
