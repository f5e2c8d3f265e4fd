"""What there is after the faults: every table and stream, read by an administrator at one moment.

Nothing here goes through the product's own code, save the dashboard, which is itself examined.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from shared.contracts.messaging import CONSUMERS, STREAMS

SCHEMAS = ("demand", "supply", "matching", "reporting")
OWNED = {"demands": "demand", "supplies": "supply"}
"""Resource → schema and table, which have the same name."""
TOPICS = {"demands": "demand.request", "supplies": "supply.offer"}
SUBJECTS = {spec.name: spec.filter_subject.removesuffix(">") for spec in CONSUMERS}
_BATCH = 500


@dataclass(slots=True)
class Sent:
    """An outbox row."""

    seq: int
    event_id: str
    type: str
    aggregate: str
    version: int
    is_published: bool
    data: dict[str, Any]

    @property
    def topic(self) -> str:
        """Whose versions count together, e.g. `demand.request`."""
        return ".".join(self.type.split(".")[:2])


@dataclass(slots=True)
class Evidence:
    """The state of everything, keyed by text ids."""

    resources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    moves: dict[str, dict[str, list[tuple[Any, ...]]]] = field(default_factory=dict)
    outbox: dict[str, list[Sent]] = field(default_factory=dict)
    inbox: dict[str, set[str]] = field(default_factory=dict)
    letters: list[tuple[str, str, str]] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    """Idempotency-Key → when it was first seen, and the resource that its stored answer names."""
    runs: list[tuple[str, int, int]] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    listed: int = 0
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    projections: dict[str, dict[str, int]] = field(default_factory=dict)
    stream: list[tuple[str, str, str, int]] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)
    dashboard: dict[str, Any] | None = None
    ledger: list[str] | None = None
    """One event id for every effect that the ledger noted."""


async def gather(
    database_url: str,
    nats_url: str,
    dashboard: dict[str, Any] | None = None,
    *,
    ledger: bool = False,
    stream: bool = True,
) -> Evidence:
    """Read everything."""
    found = Evidence(dashboard=dashboard)
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for name, schema in OWNED.items():
                await _resources(connection, found, name, schema)
            for schema in SCHEMAS:
                await _messaging(connection, found, schema)
            await _matching(connection, found)
            if ledger:
                rows = await connection.fetch("SELECT event_id FROM ledger.entry")
                found.ledger = [str(row["event_id"]) for row in rows]
    finally:
        await connection.close()
    client = await nats.connect(nats_url)
    try:
        jetstream = client.jetstream(timeout=10)
        for spec in CONSUMERS:
            state = await jetstream.consumer_info(spec.stream, spec.name)
            found.pending[spec.name] = (state.num_pending or 0) + (state.num_ack_pending or 0)
        if stream:
            for each in STREAMS:
                found.stream += await dump(jetstream, each.name)
    finally:
        await client.close()
    return found


async def _resources(
    connection: asyncpg.Connection, found: Evidence, name: str, schema: str
) -> None:
    rows = await connection.fetch(
        "SELECT id::text, version, status, owner, visibility, announced,"
        f" source_system, source_ref, document->>'title' AS title FROM {schema}.{schema}"
    )
    found.resources[name] = {row["id"]: dict(row) for row in rows}
    for row in await connection.fetch(
        f"SELECT key, created_at, convert_from(answer, 'UTF8') AS answer FROM {schema}.idempotency"
    ):
        answer = json.loads(row["answer"]).get("id") if row["answer"] else None
        found.keys[row["key"]] = f"{row['created_at']}, answer {answer}"
    moves: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT resource_id::text, version, step, from_status, to_status, actor, at"
        f" FROM {schema}.transition ORDER BY resource_id, version, step"
    ):
        moves[row[0]].append(tuple(row)[1:])
    found.moves[name] = dict(moves)


async def _messaging(connection: asyncpg.Connection, found: Evidence, schema: str) -> None:
    rows = await connection.fetch(
        "SELECT seq, event_id::text, type, aggregate_id::text, aggregate_version,"
        f" published_at IS NOT NULL, data FROM {schema}.outbox ORDER BY seq"
    )
    found.outbox[schema] = [Sent(*tuple(row)[:-1], json.loads(row["data"])) for row in rows]
    for row in await connection.fetch(f"SELECT consumer, event_id::text FROM {schema}.inbox"):
        found.inbox.setdefault(row[0], set()).add(row[1])
    found.letters += [
        tuple(row)
        for row in await connection.fetch(
            f"SELECT consumer, message_id, state FROM {schema}.dead_letter"
        )
    ]


async def _matching(connection: asyncpg.Connection, found: Evidence) -> None:
    found.runs = [
        tuple(row)
        for row in await connection.fetch(
            "SELECT demand_id::text, demand_version, index_epoch FROM matching.match_run"
        )
    ]
    rows = await connection.fetch(
        "SELECT demand_id::text, supply_id::text, listed FROM matching.match"
    )
    found.pairs = [(row[0], row[1]) for row in rows]
    found.listed = sum(row["listed"] for row in rows)
    found.states = {
        row["id"]: dict(row)
        for row in await connection.fetch(
            "SELECT demand_id::text AS id, demand_version, index_epoch, is_open, list_version"
            " FROM matching.demand_state"
        )
    }
    for name, query in {
        "matching.item": "SELECT id::text, version FROM matching.item",
        "reporting.demand_fact": "SELECT id::text, version FROM reporting.demand_fact",
        "reporting.supply_fact": "SELECT id::text, version FROM reporting.supply_fact",
    }.items():
        found.projections[name] = {row[0]: row[1] for row in await connection.fetch(query)}


async def dump(jetstream: JetStreamContext, name: str) -> list[tuple[str, str, str, int]]:
    """Return (event id, type, aggregate, version) of every message, oldest first."""
    count = (await jetstream.stream_info(name)).state.messages
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE, headers_only=True, inactive_threshold=30, max_ack_pending=-1
    )
    reader = await jetstream.pull_subscribe("", stream=name, config=config)
    found: list[tuple[str, str, str, int]] = []
    while len(found) < count:
        for message in await reader.fetch(min(_BATCH, count - len(found)), timeout=5):
            headers = message.headers or {}
            found.append(
                (
                    headers.get("ce-id", ""),
                    headers.get("ce-type", ""),
                    headers.get("ce-subject", ""),
                    int(headers.get("ce-aggregateversion", 0)),
                )
            )
    await reader.unsubscribe()
    return found


async def written(database_url: str) -> list[int]:
    """Return a number for each schema that grows with everything that is written or read."""
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        return [
            await connection.fetchval(
                f"SELECT (SELECT count(*) FROM {schema}.outbox)"
                f" + (SELECT count(*) FROM {schema}.outbox WHERE published_at IS NOT NULL)"
                f" + (SELECT count(*) FROM {schema}.inbox)"
            )
            for schema in SCHEMAS
        ]
    finally:
        await connection.close()


_UNSETTLED = """
SELECT (SELECT count(*) FROM demand.outbox WHERE published_at IS NULL)
     + (SELECT count(*) FROM supply.outbox WHERE published_at IS NULL)
     + (SELECT count(*) FROM matching.outbox WHERE published_at IS NULL) AS unsent,
    (SELECT count(*) FROM demand.demand d
      WHERE (d.status = 'PUBLISHED') AND NOT EXISTS
        (SELECT 1 FROM matching.demand_state s WHERE s.demand_id = d.id
           AND s.demand_version = d.version
           AND s.index_epoch = (SELECT coalesce(max(number), 0) FROM matching.epoch)))
    AS unmatched,
    (SELECT count(*) FROM matching.dead_letter
      WHERE state = 'RETRYING' AND error LIKE 'handed out%')
    + (SELECT count(*) FROM reporting.dead_letter
      WHERE state = 'RETRYING' AND error LIKE 'handed out%') AS taken_from_readers_that_ended
"""


async def unsettled(
    database_url: str, nats_url: str, others: tuple[str, ...] = ()
) -> dict[str, int]:
    """Return what is still on its way; empty when everything has come to rest.

    `others` are further consumers of the stream DEMAND.
    """
    connection = await asyncpg.connect(database_url, timeout=5)
    try:
        row = await connection.fetchrow(_UNSETTLED)
    finally:
        await connection.close()
    waiting = dict(row)
    client = await nats.connect(nats_url, allow_reconnect=False)
    try:
        asked = [(spec.stream, spec.name) for spec in CONSUMERS]
        for stream, name in asked + [("DEMAND", other) for other in others]:
            state = await client.jetstream().consumer_info(stream, name)
            waiting[name] = (state.num_pending or 0) + (state.num_ack_pending or 0)
    finally:
        await client.close()
    return {name: count for name, count in waiting.items() if count}
