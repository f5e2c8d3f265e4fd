"""`ketnoi republish`: send kept events again, after the broker's store was lost.

Postgres is the record: an outbox row keeps its event and its id for 90 days, so sending again is
harmless where nothing was lost (the stream knows the id, the readers' inbox does too).
"""

import asyncio
from datetime import date

import asyncpg
from rich.console import Console

from ketnoi.addresses import DATABASE
from ketnoi.credentials import ADMIN, load_credentials
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.home import Home, read_json
from ketnoi.provisioning.provision import explained
from ketnoi.servers.postgres import SUPERUSER
from ketnoi.services import SERVICES, Service

BATCH_ROWS = 20_000

_MARK = """
WITH chosen AS (
    SELECT created_at, seq FROM {schema}.outbox
    WHERE published_at IS NOT NULL AND published_at < $1 AND created_at >= $2
    ORDER BY seq LIMIT $3
)
UPDATE {schema}.outbox o SET published_at = NULL FROM chosen c
WHERE o.created_at = c.created_at AND o.seq = c.seq
"""


def republish(environment: Environment, *, service: str | None, since: date | None) -> None:
    """Mark the events of one service, or of all, as unsent; the relays send them at once."""
    names = [found.schema for found in SERVICES if found.messaging]
    if service is not None and service not in names:
        raise UsageError(f"No service '{service}' has events; there are {', '.join(names)}.")
    chosen = [found for found in SERVICES if found.messaging and service in (None, found.schema)]
    asyncio.run(_republish(admin_url(environment), chosen, since))


def admin_url(environment: Environment) -> str:
    """Return the administrator's address of the database the suite runs on."""
    if environment.database_url:
        return environment.database_url
    home = Home(environment.home)
    state = read_json(home.state)
    if state is None:
        raise LauncherError(
            f"No suite runs on {environment.home}: start it with `make run`, or set DATABASE_URL."
        )
    password = load_credentials(home).postgres[ADMIN]
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{state['ports']['postgres']}/{DATABASE}"


async def _republish(url: str, services: list[Service], since: date | None) -> None:
    console = Console()
    with explained():
        connection = await asyncpg.connect(url, database=DATABASE, timeout=5)
        try:
            started = await connection.fetchval("SELECT now()")
            first_day = since or date(1970, 1, 1)
            for service in services:
                statement = _MARK.format(schema=service.schema)
                total = 0
                while True:
                    done = await connection.execute(statement, started, first_day, BATCH_ROWS)
                    count = int(done.split()[-1])
                    total += count
                    if count < BATCH_ROWS:
                        break
                console.print(f"{service.schema}: {total:,} events marked to be sent again")
        finally:
            await connection.close()
    console.print("The relays send them now; `ketnoi status` shows when they are through.")
