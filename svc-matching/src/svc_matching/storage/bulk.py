"""Many rows or ids in one statement, and the same statement however many there are.

Lists of ids and the columns of rows are one array parameter each, so a statement is built and
prepared once; `IN` with a parameter for each id would be prepared anew for each length.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    TableValuedAlias,
    Text,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert


def among(column: Column[Any], parameter: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the values in a list parameter."""
    return column == any_(bindparam(parameter, type_=ARRAY(column.type)))


def given_rows(columns: Sequence[Column[Any]]) -> TableValuedAlias:
    """Return the rows of `as_columns` as a table."""
    arrays = [
        bindparam(_name(column), type_=ARRAY(Text if _is_text(column) else column.type))
        for column in columns
    ]
    names = [column.name for column in columns]
    return func.unnest(*arrays).table_valued(*names).render_derived(name="given")


def _name(column: Column[Any]) -> str:
    return f"{column.table.name}_{column.name}"


def as_columns(
    table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> dict[str, list[Any]]:
    """Return rows of values as the parameters of a statement on `given_rows`."""
    values = map(list, zip(*rows, strict=True)) if rows else ([] for _ in names)
    return {_name(table.c[name]): each for name, each in zip(names, values, strict=True)}


def as_fixed(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of what is one value for all rows."""
    return {_name(table.c[name]): value for name, value in values.items()}


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, (JSONB, ARRAY))


def _value(column: Column[Any], given: ColumnElement[Any]) -> ColumnElement[Any]:
    if isinstance(column.type, JSONB):
        return cast(given, JSONB)
    if isinstance(column.type, ARRAY):
        return func.string_to_array(given, ",")
    return given


def insert_given(table: Table, names: Sequence[str], fixed: Sequence[str] = ()) -> Insert:
    """Return the statement that inserts `given_rows`; `fixed` are one value for all rows.

    JSON is given as text, an array of words as text with commas.
    """
    given = given_rows([table.c[name] for name in names])
    values = [_value(table.c[name], given.c[name]) for name in names]
    values += [bindparam(_name(table.c[name]), type_=table.c[name].type) for name in fixed]
    return insert(table).from_select([*names, *fixed], select(*values))


def upsert_given(
    table: Table,
    names: Sequence[str],
    *,
    key: Sequence[str],
    fixed: Sequence[str] = (),
    kept: Sequence[str] = (),
    changed: Mapping[str, ColumnElement[Any]] | None = None,
    newer: Sequence[str] = (),
) -> Insert:
    """Return the same, replacing rows of the same key, `kept` columns apart.

    `changed` overrides what a replacement writes; `newer` names columns that must have grown.
    """
    statement = insert_given(table, names, fixed)
    written = {
        name: statement.excluded[name] for name in (*names, *fixed) if name not in (*key, *kept)
    }
    grown = (
        func.row(*(statement.excluded[name] for name in newer))
        > func.row(*(table.c[name] for name in newer))
        if newer
        else None
    )
    return statement.on_conflict_do_update(
        index_elements=list(key), set_=written | dict(changed or {}), where=grown
    )
