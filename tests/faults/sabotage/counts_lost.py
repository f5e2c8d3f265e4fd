"""Every third demand is not counted."""

from svc_reporting.usecases import demands

_keep_newest = demands.keep_newest


async def _keep_some(connection, table, rows, *, earliest) -> None:
    kept = [row for row in rows if row["id"].int % 3]
    await _keep_newest(connection, table, kept, earliest=earliest)


demands.keep_newest = _keep_some
