"""The copy keeps what it heard first and takes later states for repeats."""

from sqlalchemy.dialects.postgresql import insert

from svc_reporting.storage import facts
from svc_reporting.usecases import demands


async def _keep_first(connection, table, rows, *, earliest) -> None:
    newest = facts._newest_of_each(rows, table.primary_key.columns.values()[0].name, earliest)
    await connection.execute(insert(table).on_conflict_do_nothing(), newest)


demands.keep_newest = _keep_first
