"""Imports of whole files: a job, its counts, and each refused row."""

from enum import StrEnum
from uuid import UUID

from shared.contracts.base import Contract, Timestamp

MAX_FILE_BYTES = 10 * 1024 * 1024


class ImportKind(StrEnum):
    DEMANDS = "DEMANDS"
    SUPPLIES = "SUPPLIES"


class ImportState(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ImportJob(Contract):
    """A file on its way in. `done` counts rows looked at, refused ones included."""

    id: UUID
    kind: ImportKind
    file_name: str
    state: ImportState
    total: int
    done: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    detail: str | None = None
    created_at: Timestamp
    updated_at: Timestamp


class RowError(Contract):
    """One broken rule in one refused row; `line` counts from 1, as an editor shows it."""

    line: int
    pointer: str
    code: str
    message: str


class RowErrorPage(Contract):
    items: list[RowError]
    next_cursor: str | None = None
