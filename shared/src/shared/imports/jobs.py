"""Import jobs as their senders see them: a file is taken at once and worked on later."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Table, delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller, Role
from shared.contracts.imports import ImportJob, ImportKind, ImportState, RowError
from shared.db import Idempotency, once
from shared.imports.files import check_file
from shared.imports.refusals import UnreadableFileError
from shared.imports.rows import Importer
from shared.imports.tables import ImportTables
from shared.kernel.errors import KetnoiError, not_found
from shared.kernel.ids import new_id
from shared.kernel.text import clean
from shared.outbox import Transactions

MAX_NAME_LENGTH = 255
KEPT_DAYS = 30
_SHOWN = tuple(ImportJob.model_fields)


class Imports:
    """The imports of one service: which kinds it takes, and the jobs."""

    def __init__(
        self,
        transactions: Transactions,
        tables: ImportTables,
        idempotency: Table,
        importers: Sequence[Importer[Any]],
    ) -> None:
        self.transactions = transactions
        self.tables = tables
        self.importers = {importer.kind: importer for importer in importers}
        self.woken = asyncio.Event()
        """Set when there is a new job."""
        self._idempotency = idempotency

    async def submit(
        self,
        caller: Caller,
        kind: ImportKind,
        file_name: str,
        content: bytes,
        *,
        english: bool,
        key: Idempotency | None,
    ) -> ImportJob:
        """Store the file with its job; a file that cannot be read at all is refused."""
        name = _file_name(file_name)
        total = await asyncio.to_thread(check_file, name, content)

        async with self.transactions.begin() as work:

            async def effect() -> ImportJob:
                job = ImportJob(
                    id=new_id(),
                    kind=kind,
                    file_name=name,
                    state=ImportState.QUEUED,
                    total=total,
                    done=0,
                    created=0,
                    updated=0,
                    unchanged=0,
                    rejected=0,
                    created_at=work.now,
                    updated_at=work.now,
                )
                values = job.model_dump() | {
                    "tenant": caller.tenant,
                    "caller": caller_to_json(caller),
                    "english": english,
                    "file": content,
                }
                await work.connection.execute(insert(self.tables.job).values(values))
                work.after_commit(self.woken.set)
                return job

            return await once(work.connection, self._idempotency, key, ImportJob, effect)

    async def get(self, caller: Caller, job_id: UUID) -> ImportJob:
        """Return a job of the caller's tenant; operators see all."""
        columns = self.tables.job.c
        query = select(columns.tenant, *(columns[name] for name in _SHOWN))
        async with self.transactions.read() as connection:
            row = (await connection.execute(query.where(columns.id == job_id))).one_or_none()
        if row is None or not (caller.is_operator or row.tenant == caller.tenant):
            raise not_found("import", "lần nhập dữ liệu")
        return _job(row)

    async def errors(
        self, caller: Caller, job_id: UUID, *, limit: int, after: list[int] | None
    ) -> tuple[list[RowError], list[int] | None]:
        """Return refused rows in the file's order, and where the next page begins."""
        await self.get(caller, job_id)
        columns = self.tables.error.c
        query = (
            select(self.tables.error)
            .where(columns.job_id == job_id)
            .order_by(columns.line, columns.position)
            .limit(limit + 1)
        )
        if after is not None:
            query = query.where(tuple_(columns.line, columns.position) > tuple_(*after))
        async with self.transactions.read() as connection:
            rows = (await connection.execute(query)).all()
        items = [
            RowError(line=row.line, pointer=row.pointer, code=row.code, message=row.message)
            for row in rows[:limit]
        ]
        last = rows[limit - 1] if len(rows) > limit else None
        return items, [last.line, last.position] if last else None


def caller_to_json(caller: Caller) -> dict[str, Any]:
    """Return what the job keeps of its sender: rows are written with the sender's rights."""
    return {
        "client_id": caller.client_id,
        "role": caller.role,
        "tenant": caller.tenant,
        "scopes": sorted(caller.scopes),
        "province": caller.province,
        "countries": list(caller.countries),
    }


def caller_from_json(kept: dict[str, Any]) -> Caller:
    """Return the sender of a job."""
    return Caller(
        client_id=kept["client_id"],
        role=Role(kept["role"]),
        tenant=kept["tenant"],
        scopes=frozenset(kept["scopes"]),
        province=kept["province"],
        countries=tuple(kept["countries"]),
    )


def _job(row: Row[Any]) -> ImportJob:
    return ImportJob.model_validate({name: getattr(row, name) for name in _SHOWN})


def _file_name(given: str) -> str:
    try:
        return clean(PurePath(given).name)[-MAX_NAME_LENGTH:]
    except ValueError as error:
        raise _bad_name() from error


def _bad_name() -> KetnoiError:
    en, vi = "The file's name is not valid text.", "Tên tệp không phải văn bản hợp lệ."
    return UnreadableFileError("file_name", en, vi)


async def forget_jobs(connection: AsyncConnection, tables: ImportTables, now: datetime) -> None:
    """Drop finished jobs with their errors after their time; open ones stay, however old."""
    columns = tables.job.c
    await connection.execute(
        delete(tables.job).where(
            columns.state.in_((ImportState.DONE, ImportState.FAILED)),
            columns.updated_at < now - timedelta(days=KEPT_DAYS),
        )
    )
