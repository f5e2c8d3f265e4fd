"""Keeps the newest state of each thing, in whatever order the states come."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, case, func, tuple_
from sqlalchemy.dialects.postgresql import insert
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
    statement = insert(table).values(_newest_of_each(rows, key, earliest))
    given = statement.excluded
    newer = tuple_(given.epoch, given.version) > tuple_(table.c.epoch, table.c.version)
    changes = {
        column.name: func.least(column, given[column.name])
        if column.name in earliest
        else case((newer, given[column.name]), else_=column)
        for column in table.c
        if not column.primary_key and column.computed is None
    }
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[table.c[key]], set_=changes)
    )


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
