"""`ketnoi new-epoch`: what a service's database needs after it was restored from a backup.

The restored database gives out versions that were used before, with other content, and its
readers would take them for old news. Under a higher epoch they are news. Each aggregate's newest
state is told again, so that readers forget what came after the backup. And the service reads its
own consumers from the start: what it had acknowledged after the backup, it no longer knows.
"""

import asyncio
import contextlib

from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from rich.console import Console

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError
from ketnoi.operator.servers import (
    admin_nats_url,
    admin_url,
    administrator,
    services_named,
)
from ketnoi.provisioning.streams import administrator as broker
from ketnoi.services import Service
from shared.contracts.messaging import consumers_of
from shared.nats.objects import consumer_config

# Minutes since 2026: higher than any epoch before, also when a backup is restored twice.
_RAISE = """
UPDATE {schema}.db_epoch SET epoch = greatest(
    epoch + 1, (extract(epoch FROM now() - timestamptz '2026-01-01 00:00+00') / 60)::integer)
RETURNING epoch
"""
# One aggregate id may have several kinds of state (a demand's list, its diagnosis).
_TELL_AGAIN = """
INSERT INTO {schema}.outbox (created_at, event_id, type, aggregate_id, aggregate_version, data,
    db_epoch, traceparent, correlation_id, causation_id)
SELECT now(), gen_random_uuid(), type, aggregate_id, aggregate_version, data,
    $1, traceparent, correlation_id, causation_id
FROM (
    SELECT DISTINCT ON (aggregate_id, split_part(type, '.', 2), split_part(type, '.', 4)) *
    FROM {schema}.outbox
    ORDER BY aggregate_id, split_part(type, '.', 2), split_part(type, '.', 4),
        db_epoch DESC, aggregate_version DESC, seq DESC
) newest
ORDER BY seq
"""
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE usename = $1 AND datname = current_database()
"""


def new_epoch(environment: Environment, *, service: str) -> None:
    """Raise the epoch of one service; running or not."""
    (chosen,) = services_named(service)
    asyncio.run(_new_epoch(admin_url(environment), admin_nats_url(environment), chosen))


async def _new_epoch(database_url: str, nats_url: str, service: Service) -> None:
    console = Console()
    async with administrator(database_url) as connection:
        async with connection.transaction():
            epoch = await connection.fetchval(_RAISE.format(schema=service.schema))
            told = await connection.execute(_TELL_AGAIN.format(schema=service.schema), epoch)
        # Whoever has read the old epoch ends; the service connects again at once.
        await connection.fetchval(_END_SESSIONS, service.role)
    console.print(
        f"{service.schema}: epoch {epoch}; {int(told.split()[-1]):,} states are told again"
    )
    for name in await _read_again(nats_url, service):
        console.print(f"{name}: reads from the start; what it knows is skipped")


async def _read_again(nats_url: str, service: Service) -> list[str]:
    """Make the service's consumers anew; a new one delivers everything the stream holds."""
    specs = consumers_of(service.role)
    async with broker(nats_url) as client:
        jetstream = client.jetstream(timeout=5)
        try:
            for spec in specs:
                with contextlib.suppress(NotFoundError):
                    await jetstream.delete_consumer(spec.stream, spec.name)
                await jetstream.add_consumer(spec.stream, consumer_config(spec))
        except NatsError as error:
            raise LauncherError(
                f"NATS refused to make the consumers anew: {error}."
                " Run `ketnoi provision`, then this again."
            ) from error
    return [spec.name for spec in specs]
