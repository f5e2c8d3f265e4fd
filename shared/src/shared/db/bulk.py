"""Many rows in one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, cast, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.db.database import to_json


async def insert_many(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows that all have the same keys.

    Column arrays and `unnest` cost a third of one execution a row, and unlike COPY they pass
    row-level security.
    """
    if len(rows) <= 1:
        if rows:
            await connection.execute(insert(table).values(dict(rows[0])))
        return
    columns = [table.c[name] for name in rows[0]]
    arrays = [_array(column, [row[column.name] for row in rows]) for column in columns]
    source = func.unnest(*arrays).table_valued(*(column.name for column in columns))
    source = source.render_derived(name="source")
    values = [
        cast(source.c[column.name], JSONB)
        if isinstance(column.type, JSONB)
        else source.c[column.name]
        for column in columns
    ]
    await connection.execute(
        insert(table).from_select([column.name for column in columns], select(*values))
    )


def _array(column: Column[Any], values: list[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, JSONB):
        texts = [None if value is None else to_json(value) for value in values]
        return literal(texts, ARRAY(Text))
    return literal(values, ARRAY(column.type))
