"""Resources with a life cycle as rows: the document, what is filtered on, and the history.

The document is the resource as its readers see it, byte for byte. Single reads, lists and events
hand it on without looking into it; the other columns repeat what is filtered, guarded or joined on.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.lifecycles import Standing, Step
from shared.db.bulk import sql_type
from shared.db.database import Driver, driver_of, to_json

FIXED = ("id", "owner", "created_at")
"""Columns that no later version changes."""
STANDING = "id, version, status, owner, created_at, announced, digest"
BODY = "convert_to(document::text, 'UTF8') AS body"

_STEP = ("from_status", "to_status", "actor", "role", "reason", "checklist")
_HISTORY = ("resource_id", "version", "step", *_STEP, "at")
_OWN_TO_AN_EVENT = ("event_id", "aggregate_id", "aggregate_version", "type")
_OF_THE_TRANSACTION = ("created_at", "db_epoch", "traceparent", "correlation_id", "causation_id")

Record = asyncpg.Record


_WORTH_A_STATEMENT = 20
"""Rows with the same steps that are told of by a statement of their own."""


class KeyTakenError(Exception):
    """Another row has this natural key; it may have come a moment ago."""


class ResourceRow(NamedTuple):
    """One write: the row's values in the order of the table's columns, and the steps to it."""

    id: UUID
    version: int
    at: datetime
    values: tuple[Any, ...]
    steps: tuple[Step, ...]
    created: bool


class ResourceTable:
    """Writes the rows of one table; what is changed must be locked."""

    def __init__(self, table: Table, transition: Table, natural_key: str, *, outbox: Table) -> None:
        self._outbox = outbox
        self._announce: dict[tuple[str, tuple[str, ...]], str] = {}
        self._name = table.name
        self._staging = f"staging_{table.name}"
        self._staged_history = f"staging_{transition.name}"
        self._natural_key = natural_key
        columns = list(table.columns)
        self._columns = [column.name for column in columns]
        self._in_order = itemgetter(*self._columns)
        self._changing = [place for place, c in enumerate(columns) if c.name not in FIXED]
        names = ", ".join(self._columns)
        sets = [columns[place].name for place in self._changing]
        values = ", ".join(_placed(column, place) for place, column in enumerate(columns, 1))
        history = f"INSERT INTO {transition.name} ({', '.join(_HISTORY)})"
        self._insert = (
            f"written AS (INSERT INTO {self._name} ({names}) VALUES ({values}))"
            f" {history} {_steps(after=len(columns))}"
        )
        # An update's parameters: what changes, the steps, and last the id.
        updates = ", ".join(
            f"{columns[column].name} = {_placed(columns[column], place)}"
            for place, column in enumerate(self._changing, 1)
        )
        wanted = f"${len(sets) + len(_STEP) + 1}::uuid"
        version, at = (
            f"${sets.index(name) + 1}::{sql_type(table.c[name])}"
            for name in ("version", "updated_at")
        )
        self._update = (
            f"written AS (UPDATE {self._name} SET {updates} WHERE id = {wanted})"
            f" {history} {_steps(after=len(sets), of=(wanted, version, at))}"
        )
        self._insert_staged = (
            f"INSERT INTO {self._name} ({names}) SELECT {names} FROM {self._staging}"
            " WHERE version = 1"
        )
        self._update_staged = (
            f"UPDATE {self._name} SET {', '.join(f'{name} = staged.{name}' for name in sets)}"
            f" FROM {self._staging} staged"
            f" WHERE {self._name}.id = staged.id AND staged.version > 1"
        )
        self._insert_shared = (
            f"{history} {_steps(after=0, of=('row.id', 'row.version', '$9::timestamptz'))},"
            " unnest($7::uuid[], $8::integer[]) AS row (id, version)"
        )
        self._has_ref = (
            f"SELECT EXISTS (SELECT FROM {self._name}"
            " WHERE owner = $1 AND source_system = $2 AND source_ref = $3)"
        )
        # Key by key along the unique index: one set of keys joined to the table would be planned
        # while the table is empty, as a walk over all that the owner has.
        self._lock_by_refs = (
            f"SELECT found.* FROM unnest($2::text[], $3::text[]) AS key (system, ref),"
            f" LATERAL (SELECT {STANDING}, source_system, source_ref FROM {self._name}"
            " WHERE owner = $1 AND source_system = key.system AND source_ref = key.ref"
            " FOR UPDATE) AS found"
        )
        self._announce_many = (
            f"INSERT INTO {outbox.name} (data, {', '.join(_OWN_TO_AN_EVENT + _OF_THE_TRANSACTION)})"
            f" SELECT convert_to(staged.document::text, 'UTF8'), event.*, {_placed_all(outbox)}"
            f" FROM {self._staging} staged"
            f" JOIN unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[])"
            f" AS event ({', '.join(_OWN_TO_AN_EVENT)}) ON event.aggregate_id = staged.id"
        )
        self._insert_staged_history = f"{history} SELECT {', '.join(_HISTORY)} FROM"
        self._insert_staged_history += f" {self._staged_history}"

    def ordered(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return a row's values in the order of the columns."""
        ordered: tuple[Any, ...] = self._in_order(values)
        return ordered

    async def has_ref(self, connection: AsyncConnection, owner: str, key: tuple[str, str]) -> bool:
        """Say whether one of the tenant's rows has this key."""
        return bool(await driver_of(connection).fetchval(self._has_ref, owner, *key))

    async def lock_by_refs(
        self, connection: AsyncConnection, owner: str, keys: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], Standing]:
        """Return how those of a tenant's rows stand that have one of the keys, locked.

        Locks are taken in the order of the keys: two batches cannot wait for each other.
        """
        ordered = sorted(set(keys))
        records = await driver_of(connection).fetch(
            self._lock_by_refs,
            owner,
            [system for system, _ in ordered],
            [ref for _, ref in ordered],
        )
        return {(r["source_system"], r["source_ref"]): _standing_of(r) for r in records}

    async def write(
        self,
        connection: AsyncConnection,
        rows: Sequence[ResourceRow],
        events: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write rows with their history; KeyTakenError when a new one's key is not new.

        `events` are rows of the outbox, at most one a row, and carry the row's document. One row
        and its event are one statement, which needs no transaction around it.
        """
        driver = driver_of(connection)
        try:
            if len(rows) == 1:
                await self._write_one(driver, rows[0], *events)
            elif rows:
                await self._write_many(driver, rows)
                await self._announce_staged(driver, events)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name == self._natural_key:
                raise KeyTakenError from error
            raise

    async def _write_one(
        self, driver: Driver, row: ResourceRow, event: Mapping[str, Any] | None = None
    ) -> None:
        steps = _columns_of(row.steps)
        if row.created:
            statement, values = self._insert, [*row.values, *steps, row.id, row.version, row.at]
        else:
            statement = self._update
            values = [*(row.values[place] for place in self._changing), *steps, row.id]
        if event is not None:
            statement = self._announcing(statement, tuple(event), after=len(values))
            values += event.values()
        await driver.execute(f"WITH {statement}", *values)

    def _announcing(self, statement: str, names: tuple[str, ...], *, after: int) -> str:
        """Return the same statement, writing an event with what stands behind its parameters."""
        known = self._announce.get((statement, names))
        if known is None:
            places = ", ".join(
                _placed(self._outbox.c[name], place) for place, name in enumerate(names, after + 1)
            )
            written = f"INSERT INTO {self._outbox.name} ({', '.join(names)}) VALUES ({places})"
            known = self._announce[statement, names] = f"announced AS ({written}), {statement}"
        return known

    async def _write_many(self, driver: Driver, rows: Sequence[ResourceRow]) -> None:
        """COPY into temporary tables: row-level security refuses it where it counts."""
        await driver.execute("SELECT open_staging()")
        await driver.copy_records_to_table(
            self._staging, records=[row.values for row in rows], columns=self._columns
        )
        if any(row.created for row in rows):
            await driver.execute(self._insert_staged)
        if not all(row.created for row in rows):
            await driver.execute(self._update_staged)
        await self._write_histories(driver, rows)

    async def _announce_staged(self, driver: Driver, events: Sequence[Mapping[str, Any]]) -> None:
        """Write events with the documents that are staged: they travel and are kept once less."""
        if not events:
            return
        own = ([event[name] for event in events] for name in _OWN_TO_AN_EVENT)
        shared = (events[0][name] for name in _OF_THE_TRANSACTION)
        done = await driver.execute(self._announce_many, *own, *shared)
        if done != f"INSERT 0 {len(events)}":
            raise RuntimeError("an event speaks of a row that is not written with it")

    async def _write_histories(self, driver: Driver, rows: Sequence[ResourceRow]) -> None:
        """Rows that share their steps (those of a file do) cost no more than their ids."""
        sharing: dict[tuple[int, datetime], list[ResourceRow]] = {}
        for row in rows:
            sharing.setdefault((id(row.steps), row.at), []).append(row)
        alone: list[ResourceRow] = []
        for group in sharing.values():
            if len(group) < _WORTH_A_STATEMENT:
                alone += group
                continue
            ids, versions = [row.id for row in group], [row.version for row in group]
            values = _columns_of(group[0].steps)
            await driver.execute(self._insert_shared, *values, ids, versions, group[0].at)
        if alone:
            steps = [
                (row.id, row.version, *step, row.at) for row in alone for step in _numbered(row)
            ]
            await driver.copy_records_to_table(
                self._staged_history, records=steps, columns=list(_HISTORY)
            )
            await driver.execute(self._insert_staged_history)


def _standing_of(record: Record) -> Standing:
    """Return a row's standing from the columns of STANDING."""
    return Standing(
        id=record["id"],
        version=record["version"],
        status=record["status"],
        owner=record["owner"],
        created_at=record["created_at"],
        announced=record["announced"],
        digest=record["digest"],
    )


class Conditions:
    """The WHERE of a query and its values, numbered as the driver wants them."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.ways: list[str] = []
        """Alternatives, each with an index that gives the order; none means all rows."""
        self._parts: list[str] = []

    def value(self, value: object) -> str:
        """Keep a value and return its place."""
        self.values.append(value)
        return f"${len(self.values)}"

    def add(self, condition: str) -> None:
        self._parts.append(f"({condition})")

    def equals(self, name: str, value: object) -> None:
        self.add(f"{name} = {self.value(value)}")

    def any_of(self, name: str, values: Sequence[object]) -> None:
        """One value is compared by `=`: an index on it then gives the order as well."""
        if len(values) == 1:
            self.equals(name, values[0])
        else:
            self.add(f"{name} = ANY({self.value(list(values))}::text[])")

    def newest(self, table: str, limit: int) -> str:
        """Return the query for the newest rows, as `id` and `body`.

        Each way is walked by itself along its index: an OR of them would have all rows sorted.
        """
        count = self.value(limit)
        walks = " UNION ALL ".join(
            f"(SELECT id, document FROM {table} WHERE {where} ORDER BY id DESC LIMIT {count})"
            for where in self._alternatives()
        )
        return (
            f"SELECT DISTINCT ON (id) id, {BODY} FROM ({walks}) AS found"
            f" ORDER BY id DESC LIMIT {count}"
        )

    def _alternatives(self) -> list[str]:
        for_all = " AND ".join(self._parts) or "true"
        return [f"({way}) AND {for_all}" for way in self.ways] or [for_all]


def _placed_all(outbox: Table) -> str:
    """Place what a transaction's events share behind what each has for itself."""
    return ", ".join(
        _placed(outbox.c[name], place)
        for place, name in enumerate(_OF_THE_TRANSACTION, len(_OWN_TO_AN_EVENT) + 1)
    )


def _placed(column: Column[Any], place: int) -> str:
    if isinstance(column.type, JSON):
        return f"${place}::text::json"
    return f"${place}::{sql_type(column)}"


def _steps(*, after: int, of: tuple[str, str, str] | None = None) -> str:
    """SELECT the steps from arrays that stand behind `after` parameters."""
    arrays = ", ".join(f"${after + place}::text[]" for place in range(1, len(_STEP) + 1))
    last = after + len(_STEP)
    resource_id, version, at = of or (
        f"${last + 1}::uuid",
        f"${last + 2}::integer",
        f"${last + 3}::timestamptz",
    )
    columns = ", ".join(f"{name}::jsonb" if name == "checklist" else name for name in _STEP)
    names = columns.replace("::jsonb", "")
    return (
        f"SELECT {resource_id}, {version}, step - 1, {columns}, {at}"
        f" FROM unnest({arrays}) WITH ORDINALITY AS s ({names}, step)"
    )


def _columns_of(steps: Sequence[Step]) -> list[list[str | None]]:
    return [
        [step.source for step in steps],
        [step.target for step in steps],
        [step.actor for step in steps],
        [step.role for step in steps],
        [step.reason for step in steps],
        [_checklist(step) for step in steps],
    ]


def _numbered(row: ResourceRow) -> Iterator[tuple[Any, ...]]:
    return zip(itertools.count(), *_columns_of(row.steps), strict=False)


def _checklist(step: Step) -> str | None:
    return None if step.checklist is None else to_json(dict(step.checklist))
