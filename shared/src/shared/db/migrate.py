"""Alembic per service: own schema, own version table, run by the provisioning as the owner role."""

from importlib.resources import files
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

LOCK_TIMEOUT = "5s"


def alembic_config(package: str) -> Config:
    """Return the configuration for the migrations of `package` (folder `migrations/` in it)."""
    config = Config()
    config.set_main_option("script_location", str(files(package).joinpath("migrations")))
    config.set_main_option("path_separator", "os")
    return config


async def upgrade(package: str, url: str, schema: str, owner: str) -> list[str]:
    """Bring `schema` to the newest migration of `package`; return what was applied.

    `url` is an administrator's asyncpg URL; every statement runs as `owner`. Two provisioners
    that run at once wait for each other on an advisory lock.
    """
    config = alembic_config(package)
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_upgrade, config, schema, owner)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config, schema: str, owner: str) -> list[str]:
    script = ScriptDirectory.from_config(config)
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:s))"), {"s": f"up {schema}"})
    connection.execute(text(f'SET LOCAL ROLE "{owner}"'))
    # Functions keep this path; with pg_temp named last, nobody's temporary table comes before ours.
    connection.execute(text(f'SET LOCAL search_path TO "{schema}", pg_temp'))
    connection.execute(text(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'"))
    connection.execute(text("SET LOCAL statement_timeout TO 0"))
    applied: list[str] = []

    def steps(revision: Any, _context: MigrationContext) -> list[RevisionStep]:
        found = script._upgrade_revs("head", revision)  # noqa: SLF001 - as alembic.command does
        applied.extend(str(step.revision.revision) for step in found)
        return found

    with EnvironmentContext(config, script, fn=steps) as env:
        env.configure(
            connection=connection, version_table_schema=schema, transaction_per_migration=False
        )
        env.run_migrations()
    return applied
