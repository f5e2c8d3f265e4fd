"""The history of moves: one table for all resources of a service that have a life cycle."""

from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.lifecycles import Transition


def history_table(metadata: MetaData) -> Table:
    """Return the table's definition for a service's own metadata."""
    return Table(
        "transition",
        metadata,
        Column("resource_id", Uuid, primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("step", SmallInteger, primary_key=True),
        Column("from_status", Text),
        Column("to_status", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("reason", Text),
        Column("checklist", JSONB(none_as_null=True)),
        Column("at", DateTime(timezone=True), nullable=False),
    )


async def read_history(
    connection: AsyncConnection, table: Table, resource_id: UUID
) -> list[Transition]:
    """Return the way of one resource, oldest step first."""
    found = await connection.execute(
        select(table)
        .where(table.c.resource_id == resource_id)
        .order_by(table.c.version, table.c.step)
    )
    return [
        Transition.model_validate(
            {
                "from": row.from_status,
                "to": row.to_status,
                "actor": row.actor,
                "role": row.role,
                "reason": row.reason,
                "checklist": row.checklist,
                "version": row.version,
                "at": row.at,
            }
        )
        for row in found
    ]
