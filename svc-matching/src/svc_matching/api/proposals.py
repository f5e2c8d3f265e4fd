"""The routes of `/v1/vocabularies/technology/proposals`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Request, Response, status

from shared.contracts.identity import Caller, Scope
from shared.contracts.lifecycles import TransitionHistory, TransitionIn
from shared.http.auth import require_scope
from shared.http.lists import PageQuery, Paging
from shared.http.preconditions import required_version
from shared.http.requests import IdempotencyKey, tag
from svc_matching.api.connections import Moments, Reading, Words
from svc_matching.domain.proposals import (
    Proposal,
    ProposalIn,
    ProposalPage,
    ProposalStatus,
)
from svc_matching.domain.vocabularies import ConceptId
from svc_matching.usecases import proposals

router = APIRouter(prefix="/v1/vocabularies/technology/proposals", tags=["vocabularies"])

Proposer = Annotated[Caller, Depends(require_scope(Scope.VOCABULARIES_PROPOSE))]
Version = Annotated[int, Depends(required_version)]
EXAMPLES = {
    "add": {
        "summary": "Thêm khái niệm · Add a concept",
        "value": {
            "kind": "ADD",
            "concept_id": "tea-withering-trough",
            "broader": ["tea-processing"],
            "labels": {"vi": ["máng làm héo chè"], "en": ["tea withering trough"]},
            "reason": "Ba cơ sở ở Thái Nguyên gọi như vậy.",
        },
    },
    "change": {
        "summary": "Sửa nhãn · Change labels",
        "value": {
            "kind": "CHANGE",
            "concept_id": "tea-drying",
            "labels": {"de": ["Teetrocknung", "Teetrockner"]},
            "reason": "Name der Maschine fehlt.",
        },
    },
}


class ProposalQuery(PageQuery):
    """Filters and paging of the list."""

    status: ProposalStatus | None = None
    concept_id: ConceptId | None = None


@router.post(
    "", status_code=status.HTTP_201_CREATED, summary="Đề xuất từ vựng · Propose to the vocabulary"
)
async def post_vocabulary_proposal(
    response: Response,
    caller: Proposer,
    transactions: Moments,
    words: Words,
    key: IdempotencyKey,
    asked: Annotated[ProposalIn, Body(openapi_examples=EXAMPLES)],
) -> Proposal:
    """Thêm khái niệm (ADD) hoặc sửa nhãn, khái niệm rộng hơn, ngừng dùng (CHANGE).

    A new concept, or a change of one's labels, broader concepts or use. It is checked by the rules
    of the shipped files: a 422 names every flaw by its place. A curator decides.
    """
    proposal = await proposals.propose(transactions, words, caller, asked, key)
    response.headers["Location"] = f"{router.prefix}/{proposal.id}"
    tag(response, proposal)
    return proposal


@router.get("", summary="Danh sách đề xuất · List proposals")
async def get_vocabulary_proposals(
    request: Request,
    caller: Proposer,
    connection: Reading,
    query: Annotated[ProposalQuery, Query()],
) -> ProposalPage:
    """The proposals of the caller's tenant, for curators of all; newest first."""
    paging = Paging(request, caller, query)
    page, end = await proposals.list_proposals(
        connection,
        caller,
        status=query.status,
        concept_id=query.concept_id,
        before=UUID(paging.after[0]) if paging.after else None,
        limit=query.limit,
    )
    following = paging.next_cursor([str(end)] if end else None)
    return page.model_copy(update={"next_cursor": following})


@router.get("/{proposal_id}", summary="Đọc đề xuất · Read a proposal")
async def get_vocabulary_proposal(
    response: Response, caller: Proposer, connection: Reading, proposal_id: UUID
) -> Proposal:
    """For the tenant that made it and for curators; 404 for anybody else."""
    proposal = await proposals.read_proposal(connection, caller, proposal_id)
    tag(response, proposal)
    return proposal


@router.post("/{proposal_id}/transitions", summary="Duyệt hoặc từ chối · Decide on a proposal")
async def post_vocabulary_proposal_transition(
    response: Response,
    caller: Proposer,
    transactions: Moments,
    words: Words,
    key: IdempotencyKey,
    version: Version,
    proposal_id: UUID,
    wish: TransitionIn,
) -> Proposal:
    """ACCEPTED hoặc REJECTED bởi người duyệt, kèm lý do; WITHDRAWN bởi bên đề xuất.

    A curator accepts or rejects with a reason; whoever proposed may withdraw, and never accepts
    their own. `If-Match` is required. An accepted proposal is a new version of the vocabulary at
    once, and is matched with from the next index epoch on, some moments later. What was accepted
    since may stand in its way: then a 422 says what.
    """
    proposal = await proposals.move_proposal(
        transactions, words, caller, proposal_id, version, wish, key
    )
    tag(response, proposal)
    return proposal


@router.get("/{proposal_id}/transitions", summary="Lịch sử đề xuất · Read a proposal's history")
async def get_vocabulary_proposal_transitions(
    caller: Proposer, connection: Reading, proposal_id: UUID
) -> TransitionHistory:
    """Who proposed, who decided and why, and what this caller may do now."""
    return await proposals.read_history(connection, caller, proposal_id)
