"""Works on import jobs in chunks.

A chunk and its progress are one transaction, so a killed process repeats nothing and skips
nothing. Several workers may look for work; a job's chunks are done one after the other.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.identity import Caller
from shared.contracts.imports import ImportKind, ImportState
from shared.db.bulk import insert_many
from shared.db.database import is_passing
from shared.imports.files import Record, read_records
from shared.imports.jobs import Imports, caller_from_json
from shared.imports.refusals import UnreadableFileError
from shared.imports.rows import MAX_ERRORS_PER_ROW, Importer, Outcome, errors_of, parse
from shared.kernel.errors import FieldError, KetnoiError
from shared.kernel.faults import crash_point
from shared.outbox import UnitOfWork, periodic
from shared.outbox.worker import Loop
from shared.telemetry import get_logger

log = get_logger("imports")

CHUNK_ROWS = 1000
"""Computed beside the event loop; what is left on it, the COPY, takes some 8 ms a chunk."""
FILE_LINE = 0
"""Where the error of a file stands that could not be read at all."""
POLL_SECONDS = 1.0
MAX_FAILURES = 5
_OPEN = (ImportState.QUEUED, ImportState.RUNNING)

Parsed = BaseModel | list[FieldError]
Result = Outcome | list[FieldError]


@dataclass(slots=True)
class _File:
    """The job at hand, read once."""

    job_id: UUID
    importer: Importer[Any]
    caller: Caller
    english: bool
    records: list[Record]
    failures: int = 0
    ahead: tuple[int, asyncio.Task[list[Parsed]]] | None = None

    def chunk(self, start: int) -> list[Record]:
        return self.records[start : start + CHUNK_ROWS]

    async def parsed(self, start: int) -> list[Parsed]:
        """Return the chunk's rows, and begin to read the next: the database works meanwhile."""
        if self.ahead is None or self.ahead[0] != start:
            self.ahead = (start, self._parse(start))
        rows = await self.ahead[1]
        self.ahead = (start + CHUNK_ROWS, self._parse(start + CHUNK_ROWS))
        return rows

    def _parse(self, start: int) -> asyncio.Task[list[Parsed]]:
        reading = asyncio.to_thread(_parse_all, self.chunk(start), self.importer, self.english)
        return asyncio.create_task(reading)


class ImportRunner:
    """The background half of a service's imports."""

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._transactions = imports.transactions
        self._job = imports.tables.job
        self._error = imports.tables.error
        self._file: _File | None = None

    @property
    def loop(self) -> Loop:
        """Works while there are jobs, woken by a new one."""
        return periodic("imports", self.step, POLL_SECONDS, self._imports.woken)

    async def step(self) -> bool:
        """Do one chunk of the oldest open job; False when there is nothing to do here."""
        job = await self._oldest()
        if job is None:
            self._file = None
            return False
        if self._file is None or self._file.job_id != job.id:
            try:
                self._file = await self._open(job.id)
            except UnreadableFileError as refusal:
                await self._refuse(job.id, refusal)
                return True
        file = self._file
        parsed = await file.parsed(job.done)
        try:
            return await self._do_chunk(file, job, file.chunk(job.done), parsed)
        except Exception as error:
            if is_passing(error):
                raise
            await self._count_failure(file, error)
            return True

    async def _oldest(self) -> Row[Any, Any] | None:
        columns = self._job.c
        query = (
            select(columns.id, columns.done)
            .where(columns.state.in_(_OPEN))
            .order_by(columns.id)
            .limit(1)
        )
        async with self._transactions.read() as connection:
            return (await connection.execute(query)).one_or_none()

    async def _open(self, job_id: UUID) -> _File:
        async with self._transactions.read() as connection:
            found = await connection.execute(select(self._job).where(self._job.c.id == job_id))
            row = found.one()
        records = await read_records(row.file_name, bytes(row.file))
        if row.total != len(records):  # a workbook, read for the first time
            async with self._transactions.begin() as work:
                await self._update(work, job_id, total=len(records))
        return _File(
            job_id=job_id,
            importer=self._imports.importers[ImportKind(row.kind)],
            caller=caller_from_json(row.caller),
            english=row.english,
            records=records,
        )

    async def _do_chunk(
        self,
        file: _File,
        job: Row[Any, Any],
        chunk: Sequence[Record],
        parsed: Sequence[Parsed],
    ) -> bool:
        columns = self._job.c
        async with self._transactions.begin() as work:
            claimed = await work.connection.scalar(
                select(columns.id)
                .where(columns.id == job.id, columns.done == job.done, columns.state.in_(_OPEN))
                .with_for_update(skip_locked=True)
            )
            if claimed is None:
                return False  # another worker has it
            results = await _apply(work, file, parsed)
            counts = Counter(r.value for r in results if isinstance(r, Outcome))
            done = job.done + len(chunk)
            finished = done >= len(file.records)
            values: dict[str, Any] = {
                name: columns[name] + counts[name] for name in ("created", "updated", "unchanged")
            }
            values["rejected"] = columns.rejected + len(chunk) - counts.total()
            values["done"] = done
            values["state"] = ImportState.DONE if finished else ImportState.RUNNING
            if finished:
                values["file"] = None
            await self._update(work, job.id, **values)
            await self._write_errors(work, file, chunk, results)
            crash_point("import_before_commit")
        crash_point("import_committed")
        file.failures = 0
        return True

    async def _write_errors(
        self, work: UnitOfWork, file: _File, chunk: Sequence[Record], results: Sequence[Result]
    ) -> None:
        rows = [
            {
                "job_id": file.job_id,
                "line": record.line,
                "position": position,
                "pointer": _storable(error.pointer),
                "code": error.code,
                "message": _storable(error.text(english=file.english)),
            }
            for record, result in zip(chunk, results, strict=True)
            if not isinstance(result, Outcome)
            for position, error in enumerate(result[:MAX_ERRORS_PER_ROW])
        ]
        await insert_many(work.connection, self._error, rows)

    async def _count_failure(self, file: _File, error: Exception) -> None:
        """Try a chunk again that met a race; a chunk that never works must not block the rest."""
        file.failures += 1
        log.error("import_chunk_failed", job_id=str(file.job_id), error=repr(error))
        if file.failures < MAX_FAILURES:
            await asyncio.sleep(0.1 * file.failures)
            return
        code = error.code if isinstance(error, KetnoiError) else "internal_error"
        async with self._transactions.begin() as work:
            await self._update(work, file.job_id, **_failed(code))

    async def _refuse(self, job_id: UUID, refusal: UnreadableFileError) -> None:
        """End the job of a file that cannot be read; its one error says why."""
        log.warning("import_unreadable", job_id=str(job_id), code=refusal.code)
        async with self._transactions.begin() as work:
            english = await work.connection.scalar(
                select(self._job.c.english).where(self._job.c.id == job_id).with_for_update()
            )
            error = {
                "job_id": job_id,
                "line": FILE_LINE,
                "position": 0,
                "pointer": "/file",
                "code": refusal.code,
                "message": refusal.en if english else refusal.vi,
            }
            statement = insert(self._error).values(error).on_conflict_do_nothing()
            await work.connection.execute(statement)
            await self._update(work, job_id, **_failed(refusal.code))

    async def _update(self, work: UnitOfWork, job_id: UUID, **values: Any) -> None:
        values["updated_at"] = work.now
        await work.connection.execute(
            update(self._job).where(self._job.c.id == job_id).values(values)
        )


def _failed(code: str) -> dict[str, Any]:
    return {"state": ImportState.FAILED, "detail": code, "file": None}


def _parse_all(chunk: Sequence[Record], importer: Importer[Any], english: bool) -> list[Parsed]:
    return [parse(record, importer.model, english=english) for record in chunk]


async def _apply(work: UnitOfWork, file: _File, parsed: Sequence[Parsed]) -> list[Result]:
    """Write the readable rows and put their outcomes back beside the unreadable ones."""
    readable = [row for row in parsed if isinstance(row, BaseModel)]
    label = f"import {file.job_id}"
    outcomes = iter(await file.importer.apply(work, file.caller, label, readable))
    results: list[Result] = []
    for row in parsed:
        if isinstance(row, list):
            results.append(row)
        else:
            outcome = next(outcomes)
            results.append(outcome if isinstance(outcome, Outcome) else errors_of(outcome))
    return results


def _storable(text: str) -> str:
    """Postgres holds neither NUL nor half a surrogate pair, and a client may send both."""
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()[:1000]
