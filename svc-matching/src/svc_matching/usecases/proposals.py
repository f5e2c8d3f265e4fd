"""Propose a concept or a change, and decide on it. An accepted one makes a version."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller
from shared.contracts.lifecycles import Transition, TransitionHistory, TransitionIn
from shared.db import Idempotency, once
from shared.kernel.errors import ConflictError, not_found
from shared.kernel.ids import new_id
from shared.kernel.versions import check_version
from shared.outbox import UnitOfWork
from svc_matching.domain.proposals import (
    MAX_OPEN,
    Proposal,
    ProposalIn,
    ProposalPage,
    ProposalStatus,
    actors_of,
    allowed,
    concept_of,
    is_curator,
    require_move,
)
from svc_matching.storage import proposals as store
from svc_matching.storage import vocabularies
from svc_matching.storage.tables import idempotency
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.vocabularies import Catalogues


async def propose(
    transactions: MatchingTransactions,
    catalogues: Catalogues,
    caller: Caller,
    asked: ProposalIn,
    key: Idempotency | None,
) -> Proposal:
    """Keep a proposal that could be accepted as it is."""
    async with transactions.aside() as work:

        async def effect() -> Proposal:
            if await store.count_open(work.connection, caller.tenant) >= MAX_OPEN:
                raise ConflictError(
                    "too_many_proposals",
                    f"{MAX_OPEN} of your proposals wait already; wait for a decision.",
                    f"Đã có {MAX_OPEN} đề xuất của bạn đang chờ; hãy đợi quyết định.",
                )
            _, catalogue = await catalogues.newest(work.connection)
            await asyncio.to_thread(concept_of, asked, catalogue)
            proposal_id = new_id()
            row = {
                "id": proposal_id,
                "version": 1,
                "created_at": work.now,
                "updated_at": work.now,
                "status": ProposalStatus.PROPOSED.value,
                "owner": caller.tenant,
                "proposed_by": caller.client_id,
                "proposer_role": caller.role.value,
                "concept_id": asked.concept_id,
                "asked": asked.model_dump(mode="json", exclude_none=True),
            }
            await store.insert_one(work.connection, row)
            return await _read(work.connection, caller, proposal_id)

        return await once(work.connection, idempotency, key, Proposal, effect)


async def move_proposal(
    transactions: MatchingTransactions,
    catalogues: Catalogues,
    caller: Caller,
    proposal_id: UUID,
    version: int,
    wish: TransitionIn,
    key: Idempotency | None,
) -> Proposal:
    """Accept, reject or withdraw a proposal; what is accepted is checked once more."""
    async with transactions.aside() as work:

        async def effect() -> Proposal:
            proposal = await _read(work.connection, caller, proposal_id, lock=True)
            check_version(version, proposal.version)
            require_move(caller, proposal, wish)
            made = None
            if wish.to == ProposalStatus.ACCEPTED:
                made = await _accept(work, catalogues, proposal)
            await store.decide(
                work.connection,
                proposal_id,
                version=proposal.version + 1,
                status=wish.to,
                decided_by=caller.client_id,
                decider_role=caller.role.value,
                decision_reason=wish.reason,
                vocabulary_version=made,
                updated_at=work.now,
            )
            return await _read(work.connection, caller, proposal_id)

        return await once(work.connection, idempotency, key, Proposal, effect)


async def _accept(work: UnitOfWork, catalogues: Catalogues, proposal: Proposal) -> str:
    """Write the next revision; return the version that it makes."""
    await vocabularies.lock(work.connection)
    newest, catalogue = await catalogues.newest(work.connection)
    asked = ProposalIn(**{name: getattr(proposal, name) for name in ProposalIn.model_fields})
    concept = await asyncio.to_thread(concept_of, asked, catalogue)
    made = f"{catalogue.shipped_version}+{newest + 1}"
    row = {
        "number": newest + 1,
        "vocabulary_version": made,
        "proposal_id": proposal.id,
        "created_at": work.now,
    }
    await vocabularies.append(work.connection, concept, row)
    return made


async def _read(
    connection: AsyncConnection, caller: Caller, proposal_id: UUID, *, lock: bool = False
) -> Proposal:
    """Return a proposal that the caller may see; absent and forbidden are the same."""
    return _shown(await _row(connection, caller, proposal_id, lock=lock))


async def _row(
    connection: AsyncConnection, caller: Caller, proposal_id: UUID, *, lock: bool = False
) -> Row[Any]:
    row = await store.read(connection, proposal_id, lock=lock)
    if row is None or not actors_of(caller, row.owner):
        raise not_found("proposal", "đề xuất")
    return row


def _shown(row: Row[Any]) -> Proposal:
    fields = {name: value for name, value in row._asdict().items() if name in Proposal.model_fields}
    return Proposal.model_validate(fields | row.asked)


async def read_proposal(connection: AsyncConnection, caller: Caller, proposal_id: UUID) -> Proposal:
    return await _read(connection, caller, proposal_id)


async def read_history(
    connection: AsyncConnection, caller: Caller, proposal_id: UUID
) -> TransitionHistory:
    """Return the way of a proposal, and what this caller may do now."""
    row = await _row(connection, caller, proposal_id)
    proposal = _shown(row)
    steps = [
        Transition.model_validate(
            {
                "from": None,
                "to": ProposalStatus.PROPOSED,
                "actor": row.proposed_by,
                "role": row.proposer_role,
                "reason": proposal.reason,
                "version": 1,
                "at": row.created_at,
            }
        )
    ]
    if row.decided_by is not None:
        steps.append(
            Transition.model_validate(
                {
                    "from": ProposalStatus.PROPOSED,
                    "to": row.status,
                    "actor": row.decided_by,
                    "role": row.decider_role,
                    "reason": row.decision_reason,
                    "version": row.version,
                    "at": row.updated_at,
                }
            )
        )
    return TransitionHistory(
        resource_id=row.id,
        status=row.status,
        version=row.version,
        items=steps,
        allowed=allowed(caller, proposal),
    )


async def list_proposals(
    connection: AsyncConnection,
    caller: Caller,
    *,
    status: ProposalStatus | None,
    concept_id: str | None,
    before: UUID | None,
    limit: int,
) -> tuple[ProposalPage, UUID | None]:
    """Return the caller's proposals, a curator's of all tenants; newest first."""
    rows = await store.read_page(
        connection,
        owner=None if is_curator(caller) else caller.tenant,
        status=status.value if status else None,
        concept_id=concept_id,
        before=before,
        limit=limit + 1,
    )
    shown = [_shown(row) for row in rows[:limit]]
    return ProposalPage(items=shown), shown[-1].id if len(rows) > limit else None
