"""Import jobs: taken at once, worked on in chunks, continued after a restart.

A chunk and its progress are one transaction, so a killed process repeats nothing and skips
nothing. Several workers may look for work; a job's chunks are done one after the other.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller, Role
from shared.contracts.imports import ImportJob, ImportKind, ImportState, RowError
from shared.db import Idempotency, once
from shared.imports.files import Record, read_records
from shared.imports.rows import MAX_ERRORS_PER_ROW, Importer, Outcome, errors_of, parse
from shared.imports.tables import ImportTables
from shared.kernel.errors import FieldError, KetnoiError, not_found
from shared.kernel.ids import new_id
from shared.kernel.text import clean
from shared.outbox import Transactions, UnitOfWork, periodic
from shared.outbox.worker import Loop
from shared.telemetry import get_logger

log = get_logger("imports")

CHUNK_ROWS = 500
POLL_SECONDS = 1.0
MAX_FAILURES = 5
_OPEN = (ImportState.QUEUED, ImportState.RUNNING)

AnyImporter = Importer[Any]


@dataclass(slots=True)
class _OpenFile:
    job_id: UUID
    importer: AnyImporter
    caller: Caller
    english: bool
    records: list[Record]
    failures: int = 0


class Imports:
    """The imports of one service."""

    def __init__(
        self,
        transactions: Transactions,
        tables: ImportTables,
        idempotency: Any,
        importers: Sequence[AnyImporter],
    ) -> None:
        self._transactions = transactions
        self._job = tables.job
        self._error = tables.error
        self._idempotency = idempotency
        self.importers = {importer.kind: importer for importer in importers}
        self._woken = asyncio.Event()
        self._file: _OpenFile | None = None

    @property
    def loop(self) -> Loop:
        """The background half."""
        return periodic("imports", self.step, POLL_SECONDS, self._woken)
