"""Many rows in one statement."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.database import driver_of, to_json

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def insert_many(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows that all have the same keys.

    Column arrays and `unnest` cost a third of one execution a row, and unlike COPY they pass
    row-level security.
    """
    if not rows:
        return
    names = tuple(rows[0])
    columns = [[row[name] for row in rows] for name in names]
    for name, values in zip(names, columns, strict=True):
        if isinstance(table.c[name].type, JSONB):
            values[:] = [None if value is None else to_json(value) for value in values]
    driver = driver_of(connection)
    if len(rows) == 1:
        await driver.execute(_insert_one(table, names), *(values[0] for values in columns))
    else:
        await driver.execute(_insert_unnested(table, names), *columns)


def sql_type(column: Column[Any]) -> str:
    """Return the column's type as Postgres writes it."""
    return column.type.compile(_DIALECT)


@lru_cache(maxsize=256)
def _insert_one(table: Table, names: tuple[str, ...]) -> str:
    values = (
        f"${place}::{_sent(table.c[name])}{_stored(table.c[name])}"
        for place, name in enumerate(names, start=1)
    )
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(values)})"


@lru_cache(maxsize=256)
def _insert_unnested(table: Table, names: tuple[str, ...]) -> str:
    arrays = (f"${place}::{_sent(table.c[name])}[]" for place, name in enumerate(names, start=1))
    values = (name + _stored(table.c[name]) for name in names)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)}"
        f" FROM unnest({', '.join(arrays)}) AS source ({', '.join(names)})"
    )


def _sent(column: Column[Any]) -> str:
    return "text" if isinstance(column.type, JSONB) else sql_type(column)


def _stored(column: Column[Any]) -> str:
    return "::jsonb" if isinstance(column.type, JSONB) else ""
