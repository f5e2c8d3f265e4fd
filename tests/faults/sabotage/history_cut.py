"""Only the last step of a walk is written down."""

from shared.db.resources import ResourceTable

_write = ResourceTable.write


async def _write_less(self: ResourceTable, connection, rows, events=()) -> None:
    await _write(self, connection, [row._replace(steps=row.steps[-1:]) for row in rows], events)


ResourceTable.write = _write_less
