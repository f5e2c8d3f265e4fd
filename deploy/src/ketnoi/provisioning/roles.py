"""Roles, schemas and rights in Postgres: who owns a schema's tables, and who may use them.

Run as often as you like: it makes what is missing and leaves data alone.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence

import asyncpg

from ketnoi.addresses import DATABASE
from ketnoi.errors import UsageError
from ketnoi.services import Service

MINIMUM = 15
_LOCK = 0x6B65746E6F69  # «ketnoi»: two provisioners wait for each other


async def provision_roles(
    admin_url: str, services: Sequence[Service], passwords: Mapping[str, str], *, own_server: bool
) -> None:
    """Make the database, one schema and two roles per service; `own_server` locks the rest, too."""
    server = await asyncpg.connect(admin_url, timeout=10)
    try:
        require_version(server)
        await server.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _roles(server, services, passwords)
        if not await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await server.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        if own_server:
            await server.execute("REVOKE CONNECT, TEMP ON DATABASE postgres, template1 FROM PUBLIC")
        await _schemas(admin_url, services)
    finally:
        await server.close()


def require_version(server: asyncpg.Connection) -> None:
    """Refuse a server that is too old."""
    if server.get_server_version().major < MINIMUM:
        raise UsageError(
            f"DATABASE_URL is PostgreSQL {server.get_settings().server_version};"
            f" {MINIMUM} or newer is needed."
            " Upgrade it, or leave DATABASE_URL unset to use the embedded PostgreSQL 18."
        )


async def _roles(
    server: asyncpg.Connection, services: Sequence[Service], passwords: Mapping[str, str]
) -> None:
    known = {
        row["rolname"]: row
        for row in await server.fetch(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = ANY($1)",
            [n for s in services for n in (s.owner, s.role)],
        )
    }
    script = []
    for service in services:
        if (role := known.get(service.role)) and (role["rolsuper"] or role["rolbypassrls"]):
            raise UsageError(
                f"The role {service.role} may see every row of every table."
                f" Take that from it (ALTER ROLE {service.role} NOSUPERUSER NOBYPASSRLS)."
            )
        if service.owner not in known:
            script.append(f"CREATE ROLE {service.owner} NOLOGIN")
            script.append(f"GRANT {service.owner} TO CURRENT_USER")
        if service.role not in known:
            script.append(f"CREATE ROLE {service.role}")
        verifier = scram_verifier(passwords[service.role])
        script.append(f"ALTER ROLE {service.role} LOGIN PASSWORD '{verifier}'")
    await server.execute(";\n".join(script))


async def _schemas(admin_url: str, services: Sequence[Service]) -> None:
    database = await asyncpg.connect(admin_url, database=DATABASE, timeout=10)
    try:
        script = [
            f"REVOKE CONNECT, TEMP ON DATABASE {DATABASE} FROM PUBLIC",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        ]
        for service in services:
            script += _rights(service)
        await database.execute(";\n".join(script))
    finally:
        await database.close()


def _rights(service: Service) -> list[str]:
    schema, owner, role = service.schema, service.owner, service.role
    default = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner}"
    settings = {
        "search_path": schema,
        "statement_timeout": "'15s'",
        "idle_in_transaction_session_timeout": "'15s'",
    }
    return [
        f"GRANT CONNECT ON DATABASE {DATABASE} TO {role}",
        # Its functions stage rows in temporary tables; the service itself may not.
        f"GRANT TEMP ON DATABASE {DATABASE} TO {owner}",
        f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"{default} IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        f"{default} IN SCHEMA {schema} GRANT USAGE ON SEQUENCES TO {role}",
        f"{default} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        f"{default} IN SCHEMA {schema} GRANT EXECUTE ON FUNCTIONS TO {role}",
        *(
            f"ALTER ROLE {role} IN DATABASE {DATABASE} SET {name} = {value}"
            for name, value in settings.items()
        ),
    ]


def scram_verifier(password: str, salt: bytes | None = None, rounds: int = 4096) -> str:
    """Return what the server stores (RFC 5803), so that no log ever shows the password."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, client, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(rounds, *parts)
