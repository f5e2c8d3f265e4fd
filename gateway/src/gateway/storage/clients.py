"""The table of API clients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, MetaData, Row, String, Table, Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.clients import Client
from shared.contracts.identity import Role

metadata = MetaData()

client_table = Table(
    "client",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("secret_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("province", String(2), nullable=True),
    Column("countries", ARRAY(String(2)), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default="false"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


@dataclass(frozen=True, slots=True)
class StoredClient:
    """A client and the hash of its secret."""

    client: Client
    secret_hash: str


async def find_clients(
    connection: AsyncConnection, client_ids: Sequence[str]
) -> dict[str, StoredClient]:
    """Return those that exist, disabled ones included."""
    rows = await connection.execute(
        select(client_table).where(client_table.c.client_id.in_(client_ids))
    )
    return {row.client_id: _stored(row) for row in rows}


async def find_enabled(connection: AsyncConnection, client_id: str) -> StoredClient | None:
    """Return the client, unless it is unknown or disabled."""
    found = await connection.execute(
        select(client_table).where(
            client_table.c.client_id == client_id, client_table.c.disabled.is_(False)
        )
    )
    row = found.one_or_none()
    return _stored(row) if row else None


async def save_clients(connection: AsyncConnection, clients: Sequence[StoredClient]) -> None:
    """Insert or replace; whether a client is disabled stays as the operators left it."""
    statement = insert(client_table).values(
        [
            {
                "client_id": stored.client.client_id,
                "secret_hash": stored.secret_hash,
                "role": str(stored.client.role),
                "tenant": stored.client.tenant,
                "province": stored.client.province,
                "countries": list(stored.client.countries),
            }
            for stored in clients
        ]
    )
    replaced = ("secret_hash", "role", "tenant", "province", "countries")
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[client_table.c.client_id],
            set_={name: statement.excluded[name] for name in replaced},
        )
    )


def _stored(row: Row[Any]) -> StoredClient:
    client = Client(
        client_id=row.client_id,
        role=Role(row.role),
        tenant=row.tenant,
        province=row.province,
        countries=tuple(row.countries),
    )
    return StoredClient(client, row.secret_hash)
