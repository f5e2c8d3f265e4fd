"""The service's outside: contract snapshot, health, and a schema that is what the code thinks."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import Connection

from shared.http.snapshot import snapshot
from svc_reporting.main import create_app
from svc_reporting.settings import Settings
from svc_reporting.storage.tables import metadata

SNAPSHOT = Path(__file__).parents[2] / "svc-reporting" / "openapi.json"


def test_the_openapi_snapshot_is_committed() -> None:
    assert SNAPSHOT.read_text() == snapshot("svc_reporting.main:create_app"), "make contracts"


async def test_it_is_ready_when_its_database_answers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).status_code == 200

    async def states() -> dict[str, str]:
        checks = (await client.get("/healthz")).json()["checks"]
        return {name: check[0]["status"] for name, check in checks.items()}

    while set((await states()).values()) != {"pass"}:  # NATS connects when it can
        await asyncio.sleep(0.05)


async def test_without_nats_it_still_serves(settings: Settings) -> None:
    alone = create_app(settings.model_copy(update={"nats_url": SecretStr("nats://127.0.0.1:1")}))
    async with alone.router.lifespan_context(alone):
        transport = httpx.ASGITransport(alone)
        async with httpx.AsyncClient(transport=transport, base_url="http://alone") as client:
            assert (await client.get("/v1/reporting/dashboard")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            assert (await client.get("/healthz")).json()["status"] == "warn"


def _is_ours(_: Any, name: str, kind: str, *rest: Any) -> bool:
    partition_or_alembics = name.startswith("outbox_") or name == "alembic_version"
    return kind in ("table", "column") and not partition_or_alembics


async def test_the_migrations_make_the_tables_that_the_code_reads(app: FastAPI) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        return compare_metadata(context, metadata)

    async with app.state.transactions.read() as connection:
        assert await connection.run_sync(differences) == []
