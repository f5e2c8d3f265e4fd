"""Proposals to the vocabulary: what they say, who sees them, and who decides.

Whoever reads and writes technology texts may propose; curators decide, and nobody on their own.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.contracts.base import Clean, Contract, ResourceFields
from shared.contracts.identity import Caller, Scope
from shared.contracts.lifecycles import Actor, Lifecycle, TransitionIn, moves
from shared.kernel.errors import FieldError, ForbiddenError, InvalidError
from svc_matching.domain.catalogue import Catalogue
from svc_matching.domain.vocabularies import (
    LANGUAGES,
    MAX_BROADER,
    Concept,
    ConceptId,
    Labels,
    Language,
)
from svc_matching.domain.vocabulary_lint import flaws_of

MAX_OPEN = 500
"""Proposals of one tenant that may wait at a time."""

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), Clean
]


class ProposalKind(StrEnum):
    """ADD is a new concept, CHANGE replaces the given parts of one."""

    ADD = "ADD"
    CHANGE = "CHANGE"


class ProposalStatus(StrEnum):
    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


LIFECYCLE = Lifecycle(
    moves(["PROPOSED"], ["ACCEPTED", "REJECTED"], [Actor.OPERATOR], "reason"),
    moves(["PROPOSED"], ["WITHDRAWN"], [Actor.OWNER]),
    plainest="PROPOSED",
)


class ProposalIn(Contract):
    """A wish to add or change one concept; what is left out stays as it is."""

    kind: ProposalKind
    concept_id: ConceptId = Field(examples=["tea-drying"])
    broader: list[ConceptId] | None = Field(
        None, max_length=MAX_BROADER, description="All of them; the first gives a new one's sector."
    )
    labels: dict[Language, Labels] | None = Field(
        None, description="All labels of each language named here, the preferred one first."
    )
    deprecated: bool | None = Field(None, description="True takes the concept out of use.")
    reason: Reason = Field(description="Who says so, and where; for the curator.")


class Proposal(ProposalIn, ResourceFields):
    """A proposal, and what became of it."""

    status: ProposalStatus
    proposed_by: str
    decided_by: str | None = None
    decision_reason: str | None = None
    vocabulary_version: str | None = Field(
        None, description="The version that it made when it was accepted."
    )


class ProposalPage(Contract):
    items: list[Proposal]
    next_cursor: str | None = None


def is_curator(caller: Caller) -> bool:
    return Scope.VOCABULARIES_CURATE in caller.scopes


def require_curator(caller: Caller) -> None:
    if not is_curator(caller):
        raise ForbiddenError(
            "scope_missing",
            f"This needs the scope {Scope.VOCABULARIES_CURATE}.",
            f"Cần quyền {Scope.VOCABULARIES_CURATE}.",
            extra={"scope": str(Scope.VOCABULARIES_CURATE)},
        )


def actors_of(caller: Caller, owner: str) -> frozenset[Actor]:
    """Return what the caller is to a proposal of a tenant; nothing means it sees none."""
    actors = set()
    if is_curator(caller):
        actors.add(Actor.OPERATOR)
    if Scope.VOCABULARIES_PROPOSE in caller.scopes and caller.tenant == owner:
        actors.add(Actor.OWNER)
    return frozenset(actors)


def allowed(caller: Caller, proposal: Proposal) -> list[str]:
    """Return where the caller may move a proposal now."""
    targets = LIFECYCLE.allowed(proposal.status, actors_of(caller, proposal.owner))
    own = proposal.proposed_by == caller.client_id
    return [each for each in targets if not (own and each == ProposalStatus.ACCEPTED)]


def require_move(caller: Caller, proposal: Proposal, wish: TransitionIn) -> None:
    """Refuse a move that the table, its guard or four eyes do not allow."""
    move = LIFECYCLE.require(proposal.status, wish.to, actors_of(caller, proposal.owner))
    if wish.to == ProposalStatus.ACCEPTED and proposal.proposed_by == caller.client_id:
        raise ForbiddenError(
            "own_proposal",
            "Nobody accepts a proposal of their own; another curator decides.",
            "Không ai tự duyệt đề xuất của mình; một người duyệt khác sẽ quyết định.",
        )
    if "reason" in move.guards and not wish.reason:
        raise InvalidError(
            "reason_required",
            "This move needs a reason.",
            "Bước chuyển này cần nêu lý do.",
            errors=(FieldError("/reason", "missing", "Field required", "Thiếu trường bắt buộc."),),
        )


def concept_of(asked: ProposalIn, catalogue: Catalogue) -> Concept:
    """Return the concept as the proposal would have it; InvalidError names all that is wrong."""
    before = catalogue.concepts.get(asked.concept_id)
    flaws: tuple[FieldError, ...] = ()
    if (before is None) is (asked.kind is ProposalKind.CHANGE):
        flaws = (_mistaken(asked),)
    after = _amended(before or _blank(asked, catalogue), asked)
    flaws += flaws_of(after, catalogue)
    if after == before:
        flaws += (
            FieldError("", "no_change", "Nothing would change.", "Đề xuất không thay đổi gì."),
        )
    if flaws:
        raise InvalidError(
            "concept_invalid",
            "The concept cannot be as proposed; `errors` says why.",
            "Không thể ghi khái niệm như đề xuất; xem `errors`.",
            errors=flaws,
        )
    return after


def _mistaken(asked: ProposalIn) -> FieldError:
    if asked.kind is ProposalKind.ADD:
        return FieldError(
            "/concept_id",
            "concept_exists",
            f"`{asked.concept_id}` exists; propose a CHANGE of it.",
            f"`{asked.concept_id}` đã có; hãy đề xuất CHANGE.",
        )
    return FieldError(
        "/concept_id",
        "concept_unknown",
        f"There is no concept `{asked.concept_id}`; ADD makes a new one.",
        f"Không có khái niệm `{asked.concept_id}`; dùng ADD để thêm mới.",
    )


def _blank(asked: ProposalIn, catalogue: Catalogue) -> Concept:
    above = catalogue.concepts.get((asked.broader or [""])[0])
    return Concept(
        asked.concept_id, above.sector if above else "", (), dict.fromkeys(LANGUAGES, ())
    )


def _amended(concept: Concept, asked: ProposalIn) -> Concept:
    given = {str(language): tuple(labels) for language, labels in (asked.labels or {}).items()}
    return replace(
        concept,
        broader=concept.broader if asked.broader is None else tuple(asked.broader),
        labels={**concept.labels, **given},
        deprecated=concept.deprecated if asked.deprecated is None else asked.deprecated,
    )
