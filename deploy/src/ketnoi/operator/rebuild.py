"""`ketnoi rebuild`: fill a service's tables anew from the events, beside the running service.

The migrations make the same tables in a schema of their own, with an inbox of its own; the
service's own handlers fill them from the producers' outboxes; then the tables change places in
one transaction. What the handlers would send to the outside stays behind and is dropped.
"""

import asyncio
import importlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from rich.console import Console

from ketnoi.addresses import async_url
from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.operator.servers import MESSAGING, admin_url, administrator, services_named
from ketnoi.services import Service
from shared.contracts.events import Event
from shared.contracts.messaging import STREAMS, ConsumerSpec, consumers_of
from shared.db import Database
from shared.db.migrate import upgrade
from shared.outbox import Handler, MessagingTables, Transactions
from shared.outbox.inbox import take_in
from shared.outbox.relay import event_of

BATCH = 500
ROUNDS = 5
LOCK_TIMEOUT = "5s"
_COLUMNS = (
    "created_at, seq, event_id, type, aggregate_id, aggregate_version, data, db_epoch,"
    " traceparent, correlation_id, causation_id"
)

Connection = asyncpg.Connection


def rebuild(environment: Environment, *, service: str, accept_gaps: bool) -> None:
    """Rebuild one service's tables; refuse where the events no longer go back to the start."""
    (chosen,) = services_named(service)
    asyncio.run(_rebuild(admin_url(environment), chosen, accept_gaps=accept_gaps))


async def _rebuild(url: str, service: Service, *, accept_gaps: bool) -> None:
    handlers = _handlers(service)
    async with administrator(url) as admin:
        await _require_whole_history(admin, service, accept_gaps=accept_gaps)
        async with _shadow(url, admin, service) as shadow:
            job = _Rebuild(admin, service, shadow, handlers)
            total = await job.replay()
            Console().print(f"{service.schema}: {total:,} events replayed")
            tables = await job.swap(keep_older=accept_gaps)
    Console().print(f"{service.schema}: {', '.join(tables)} rebuilt")


def _handlers(service: Service) -> dict[str, Handler]:
    found = getattr(importlib.import_module(f"{service.package}.worker"), "HANDLERS", None)
    if found is None:
        raise UsageError(f"{service.schema} keeps more than its events tell; it cannot be rebuilt.")
    handlers: dict[str, Handler] = found
    return handlers


def _producers(service: Service) -> list[tuple[ConsumerSpec, Service]]:
    writers = {spec.name: spec.service for spec in STREAMS}
    return [
        (spec, next(found for found in MESSAGING if found.role == writers[spec.stream]))
        for spec in consumers_of(service.role)
    ]


async def _require_whole_history(admin: Connection, service: Service, *, accept_gaps: bool) -> None:
    for _, producer in _producers(service):
        since = await admin.fetchval(f"SELECT dropped_before FROM {producer.schema}.relay_state")
        if since is not None and not accept_gaps:
            raise LauncherError(
                f"{producer.schema} keeps its events only from {since:%Y-%m-%d} on. With"
                " --accept-gaps, rows of which no event is left are taken over as they are, and"
                " the others are rebuilt from what is left."
            )


@asynccontextmanager
async def _shadow(url: str, admin: Connection, service: Service) -> AsyncIterator[Transactions]:
    """Make the tables a second time; nothing is left of them however this ends."""
    schema = shadow_of(service)
    await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await admin.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {service.owner}")
    await upgrade(service.package, async_url(url), schema, service.owner)
    database = Database(async_url(url), pool_size=1, name="ketnoi-rebuild", schema=schema)
    try:
        yield Transactions(database, MessagingTables.on(), source="ketnoi/rebuild")
    finally:
        await database.close()
        await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def shadow_of(service: Service) -> str:
    return f"{service.schema}_rebuild"


class _Rebuild:
    """One run: what is replayed into the shadow, and the change of places."""

    def __init__(
        self,
        admin: Connection,
        service: Service,
        shadow: Transactions,
        handlers: dict[str, Handler],
    ) -> None:
        self._admin = admin
        self._service = service
        self._shadow = shadow
        self._handlers = handlers
        self._schema = shadow_of(service)
        self._caught_up_to = datetime(1970, 1, 1, tzinfo=UTC)

    async def replay(self) -> int:
        """Read every kept event, then what came meanwhile, until nearly nothing does."""
        total = 0
        for spec, producer in _producers(self._service):
            last = 0
            while rows := await self._admin.fetch(
                f"SELECT {_COLUMNS} FROM {producer.schema}.outbox WHERE seq > $1 AND type LIKE $2"
                " ORDER BY seq LIMIT $3",
                last,
                _pattern(spec),
                BATCH,
            ):
                await self._take_in(spec, [_as_read(row) for row in rows])
                last, total = rows[-1]["seq"], total + len(rows)
        for _ in range(ROUNDS):
            if not (late := await self._catch_up()):
                break
            total += late
        return total

    async def _catch_up(self) -> int:
        """Read what the live tables have and the shadow has not; after the first time, what is new.

        A transaction may take as long as its time limit to be seen, hence the margin.
        """
        since, self._caught_up_to = (
            self._caught_up_to,
            await self._admin.fetchval("SELECT clock_timestamp() - interval '2 minutes'"),
        )
        total = 0
        for spec, producer in _producers(self._service):
            rows = await self._admin.fetch(
                f"SELECT {_COLUMNS} FROM {producer.schema}.outbox o WHERE type LIKE $2"
                f" AND EXISTS (SELECT 1 FROM {self._service.schema}.inbox i"
                "   WHERE i.consumer = $1 AND i.event_id = o.event_id AND i.received_at >= $3)"
                f" AND NOT EXISTS (SELECT 1 FROM {self._schema}.inbox i"
                "   WHERE i.consumer = $1 AND i.event_id = o.event_id) ORDER BY seq",
                spec.name,
                _pattern(spec),
                since,
            )
            for start in range(0, len(rows), BATCH):
                events = [_as_read(row) for row in rows[start : start + BATCH]]
                await self._take_in(spec, events)
            total += len(rows)
        return total

    async def _take_in(self, spec: ConsumerSpec, events: Sequence[Event]) -> None:
        """Handle a batch; an event that is a dead letter of the live service is passed over."""
        try:
            await take_in(self._shadow, spec.name, self._handlers[spec.name], events)
        except Exception as error:
            if len(events) > 1:
                half = len(events) // 2
                await self._take_in(spec, events[:half])
                await self._take_in(spec, events[half:])
            elif not await self._is_dead_letter(spec, events[0]):
                raise LauncherError(
                    f"{spec.name} cannot digest event {events[0].id}: {error!r}."
                    " Nothing was changed."
                ) from error

    async def _is_dead_letter(self, spec: ConsumerSpec, found: Event) -> bool:
        known = await self._admin.fetchval(
            f"SELECT 1 FROM {self._service.schema}.dead_letter"
            " WHERE consumer = $1 AND message_id = $2",
            spec.name,
            str(found.id),
        )
        return known is not None

    async def swap(self, *, keep_older: bool) -> list[str]:
        """Let the tables change places; the service's own transactions wait that long."""
        live, shadow = self._service.schema, self._schema
        tables = await self._projections()
        names = ", ".join(f"{live}.{table}" for table in tables)
        async with self._admin.transaction():
            await self._admin.execute(f"SET LOCAL lock_timeout TO '{LOCK_TIMEOUT}'")
            await self._admin.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            await self._catch_up()
            if keep_older:
                await self._take_over_older(tables)
            await self._admin.execute(f"DROP TABLE {names}")
            for table in tables:
                await self._admin.execute(f"ALTER TABLE {shadow}.{table} SET SCHEMA {live}")
            await self._admin.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {names} TO {self._service.role};"
                f" GRANT USAGE ON ALL SEQUENCES IN SCHEMA {live} TO {self._service.role}"
            )
        return tables

    async def _projections(self) -> list[str]:
        """Name the tables that hold what events told: all but those that carry the events."""
        carriers = [table.name for table in MessagingTables.on().all()]
        rows = await self._admin.fetch(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = $1::regnamespace"
            " AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relname <> ALL($2) ORDER BY 1",
            self._schema,
            [*carriers, "alembic_version"],
        )
        return [row["relname"] for row in rows]

    async def _take_over_older(self, tables: Sequence[str]) -> None:
        """Copy the rows that no kept event tells of."""
        for table in tables:
            rows = await self._admin.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = $1"
                " AND table_name = $2 AND is_generated = 'NEVER'",
                self._schema,
                table,
            )
            columns = ", ".join(itertools.chain.from_iterable(rows))
            await self._admin.execute(
                f"INSERT INTO {self._schema}.{table} ({columns}) OVERRIDING SYSTEM VALUE"
                f" SELECT {columns} FROM {self._service.schema}.{table} ON CONFLICT DO NOTHING"
            )


def _as_read(row: asyncpg.Record) -> Event:
    """Return the event as a reader gets it; a header's time has no more than milliseconds."""
    kept = event_of(row)
    return Event.from_message(kept.headers(), kept.data)


def _pattern(spec: ConsumerSpec) -> str:
    """Turn the consumer's filter into one of event types (`demand.request.>`)."""
    return spec.filter_subject.removesuffix(">").replace("_", r"\_") + "%"
