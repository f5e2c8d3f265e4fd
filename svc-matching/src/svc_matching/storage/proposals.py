"""Proposals to the vocabulary."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_matching.domain.proposals import ProposalStatus
from svc_matching.storage.tables import vocabulary_proposal as proposal


async def insert_one(connection: AsyncConnection, row: dict[str, Any]) -> None:
    await connection.execute(insert(proposal).values(**row))


async def read(
    connection: AsyncConnection, proposal_id: UUID, *, lock: bool = False
) -> Row[Any] | None:
    """Return one; with `lock` nobody else decides on it until the transaction ends."""
    statement = select(proposal).where(proposal.c.id == proposal_id)
    found = await connection.execute(statement.with_for_update() if lock else statement)
    return found.one_or_none()


async def decide(connection: AsyncConnection, proposal_id: UUID, **values: Any) -> None:
    await connection.execute(update(proposal).where(proposal.c.id == proposal_id).values(**values))


async def count_open(connection: AsyncConnection, owner: str) -> int:
    counted = await connection.scalar(
        select(func.count()).where(
            proposal.c.owner == owner, proposal.c.status == ProposalStatus.PROPOSED
        )
    )
    return int(counted or 0)


async def read_page(
    connection: AsyncConnection,
    *,
    owner: str | None,
    status: str | None,
    concept_id: str | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return proposals, newest first; `owner` None means of all tenants."""
    wanted = {"owner": owner, "status": status, "concept_id": concept_id}
    statement = select(proposal).order_by(proposal.c.id.desc()).limit(limit)
    for name, value in wanted.items():
        if value is not None:
            statement = statement.where(proposal.c[name] == value)
    if before is not None:
        statement = statement.where(proposal.c.id < before)
    return (await connection.execute(statement)).all()
