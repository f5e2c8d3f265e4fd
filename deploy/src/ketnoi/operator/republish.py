"""`ketnoi republish`: send kept events again, after the broker's store was lost.

Postgres is the record: an outbox row keeps its event and its id for 90 days, so sending again is
harmless where nothing was lost (the stream knows the id, the readers' inbox does too). A service
that sees that its stream has lost events sends them again by itself; this is for all other cases.
"""

import asyncio
from datetime import date

from rich.console import Console

from ketnoi.environment import Environment
from ketnoi.operator.servers import admin_url, administrator, services_named
from ketnoi.services import Service

__all__ = ["admin_url", "republish"]

BATCH_ROWS = 20_000

_MARK = """
WITH chosen AS (
    SELECT created_at, seq FROM {schema}.outbox
    WHERE published_at IS NOT NULL AND published_at < $1 AND created_at >= $2
    ORDER BY seq LIMIT $3
)
UPDATE {schema}.outbox o SET published_at = NULL, stream_seq = NULL FROM chosen c
WHERE o.created_at = c.created_at AND o.seq = c.seq
"""


def republish(environment: Environment, *, service: str | None, since: date | None) -> None:
    """Mark the events of one service, or of all, as unsent; the relays send them at once."""
    chosen = services_named(service)
    asyncio.run(_republish(admin_url(environment), chosen, since))


async def _republish(url: str, services: list[Service], since: date | None) -> None:
    console = Console()
    async with administrator(url) as connection:
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
    console.print("The relays send them now; `ketnoi status` shows when they are through.")
