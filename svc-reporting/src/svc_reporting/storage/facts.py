"""Keeps the newest state of each thing, in whatever order the states come."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    String,
    Table,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from svc_reporting.storage.tables import watermark

Row = dict[str, Any]


async def keep_newest(
    connection: AsyncConnection, table: Table, rows: Sequence[Row], *, earliest: Collection[str]
) -> None:
    """Write a state only over an older one; the columns in `earliest` keep their first time.

    A late state changes nothing but, where it is earlier, those times. So any order of the same
    states, with any repeats, ends in the same row. A restored producer counts versions anew under
    a higher epoch, hence the pair.
    """
    if not rows:
        return
    key = table.primary_key.columns.values()[0].name
    newest = _newest_of_each(rows, key, earliest)
    statement = _keep_newest(table, tuple(rows[0]), frozenset(earliest))
    await connection.execute(statement, {"rows": json.dumps(newest, default=str)})


@lru_cache(maxsize=32)
def _keep_newest(table: Table, names: tuple[str, ...], earliest: frozenset[str]) -> Insert:
    """One statement however many rows there are: they come as one JSON parameter, since a
    parameter for each value would be compiled anew for each number of rows.
    """
    given_rows = func.json_populate_recordset(
        literal_column(f"NULL::{table.name}"), cast(bindparam("rows", type_=String), JSON)
    ).table_valued(*(table.c[name] for name in names))
    statement = insert(table).from_select(names, select(*(given_rows.c[name] for name in names)))
    given = statement.excluded
    newer = tuple_(given.epoch, given.version) > tuple_(table.c.epoch, table.c.version)
    changes = {
        column.name: func.least(column, given[column.name])
        if column.name in earliest
        else case((newer, given[column.name]), else_=column)
        for column in table.c
        if not column.primary_key and column.computed is None
    }
    key = table.primary_key.columns.values()[0]
    return statement.on_conflict_do_update(index_elements=[key], set_=changes)


def _newest_of_each(rows: Sequence[Row], key: str, earliest: Collection[str]) -> list[Row]:
    """One row each, since an upsert may not meet the same key twice; in the order of the keys,
    so that two transactions never wait for each other.
    """
    newest: dict[Any, Row] = {}
    for row in rows:
        held = newest.get(row[key], row)
        first = {name: _earlier(held[name], row[name]) for name in earliest}
        newer = (row["epoch"], row["version"]) > (held["epoch"], held["version"])
        newest[row[key]] = (row if newer else held) | first
    return [newest[found] for found in sorted(newest)]


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


async def advance_watermark(connection: AsyncConnection, stream: str, at: datetime) -> None:
    """Note that events up to about `at` have been read; it never goes back."""
    statement = insert(watermark).values(stream=stream, newest_at=at)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[watermark.c.stream],
            set_={"newest_at": statement.excluded.newest_at},
            where=watermark.c.newest_at < statement.excluded.newest_at,
        )
    )
