"""Everything the services find ready-made: roles, schemas, tables, streams, consumers, clients.

Runs as an administrator, before the services start, and as often as one likes.
"""

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import asyncpg

from ketnoi.addresses import async_url, nats_user_url, service_url
from ketnoi.clients import seed
from ketnoi.errors import LauncherError, UsageError, first_refusal
from ketnoi.provisioning.plan import UNFORESEEN, Plan
from ketnoi.provisioning.roles import provision_roles
from ketnoi.provisioning.streams import provision_streams, require_user
from ketnoi.services import GATEWAY, Service


async def provision(plan: Plan) -> None:
    """Bring both servers up to date, side by side."""
    with first_refusal():
        async with asyncio.TaskGroup() as group:
            group.create_task(provision_messaging(plan))
            group.create_task(provision_database(plan))


async def provision_messaging(plan: Plan) -> None:
    """Streams and consumers; the users of a foreign server are its administrator's to make."""
    await provision_streams(plan.nats_url)
    if plan.own_nats:
        return
    for service in plan.services:
        if service.messaging:
            url = nats_user_url(plan.nats_url, service, plan.nats_passwords)
            await require_user(url, service.role, plan.nats_users_file)


async def provision_database(plan: Plan) -> None:
    """Roles and schemas, then each service's migrations, then the seeded clients."""
    with explained():
        await provision_roles(
            plan.database_url, plan.services, plan.passwords, own_server=plan.own_database
        )
        await migrate(plan.database_url, plan.services)
        if plan.clients and _has_gateway(plan.services):
            await seed(service_url(plan.database_url, GATEWAY, plan.passwords), plan.clients)


def _has_gateway(services: Sequence[Service]) -> bool:
    return any(service.name == GATEWAY.name and service.migrated for service in services)


async def migrate(admin_url: str, services: Sequence[Service]) -> None:
    """Bring every schema to its newest migration, as the schema's owner."""
    migrated = [service for service in services if service.migrated]
    if not migrated:
        return
    from shared.db.migrate import upgrade  # SQLAlchemy and Alembic: slow to import

    for service in migrated:
        await upgrade(
            package=service.package,
            url=async_url(admin_url),
            schema=service.schema,
            owner=service.owner,
        )


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what the database server refuses into a message that says what to do."""
    try:
        yield
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise UsageError(
            f"PostgreSQL refused the administrator: {error}."
            " Check the user and the password of DATABASE_URL."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise UsageError(
            f"The user of DATABASE_URL may not do what is needed: {error}."
            " It must be a superuser, or have CREATEROLE and CREATEDB."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise UsageError(f"DATABASE_URL names a database that is not there: {error}.") from error
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
        raise UsageError(
            f"Cannot reach the PostgreSQL of DATABASE_URL: {error or type(error).__name__}."
            " Check that it runs and that host and port are right."
        ) from error


def job(plan: dict[str, Any]) -> None:
    """Run as a process of its own; the last lines it writes are the launcher's message."""
    _run(provision(Plan.from_json(plan)))


def messaging_job(plan: dict[str, Any]) -> None:
    """Do only the broker's part, for a broker that may have lost its store."""
    _run(provision_messaging(Plan.from_json(plan)))


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        asyncio.run(work)
    except LauncherError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
    except Exception:  # noqa: BLE001 (told apart from refusals, whole in the log)
        traceback.print_exc()
        raise SystemExit(UNFORESEEN) from None
