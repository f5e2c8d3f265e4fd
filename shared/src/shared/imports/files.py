"""Files as rows with line numbers: JSON Lines, and tables in the contract's field names."""

import asyncio
import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.imports.refusals import UnreadableFileError
from shared.imports.workbooks import check_workbook, read_workbook
from shared.kernel.errors import FieldError

MAX_LINES = 100_000
MAX_LINE_BYTES = 512 * 1024
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands in the file; `line` counts from 1, as an editor shows it."""

    line: int
    content: bytes | dict[str, Any] | FieldError


def check_file(file_name: str, content: bytes) -> int:
    """Return how many rows a file has, 0 for a workbook; refuse what cannot be read at all.

    A workbook is only looked at from outside: it is opened once it is its turn.
    """
    if _suffix(file_name) == "xlsx":
        check_workbook(content)
        return 0
    return len(_read(file_name, content))


async def read_records(file_name: str, content: bytes) -> list[Record]:
    """Return the rows of a file; a file that cannot be read at all is refused."""
    if _suffix(file_name) == "xlsx":
        await asyncio.to_thread(check_workbook, content)
        sheet = await read_workbook(content)
        return await asyncio.to_thread(lambda: _bounded(_table(_sheet_lines(sheet))))
    return await asyncio.to_thread(_read, file_name, content)


def _read(file_name: str, content: bytes) -> list[Record]:
    suffix = _suffix(file_name)
    if suffix == "jsonl":
        return _bounded(_json_lines(content))
    if suffix == "csv":
        return _bounded(_table(_csv_lines(content)))
    raise UnreadableFileError(
        "file_type_unsupported",
        "Send a file whose name ends in .jsonl, .csv or .xlsx.",
        "Hãy gửi tệp có đuôi .jsonl, .csv hoặc .xlsx.",
    )


def _suffix(file_name: str) -> str:
    return file_name.lower().rpartition(".")[2]


def _bounded(records: Iterable[Record]) -> list[Record]:
    found = list(itertools.islice(records, MAX_LINES + 1))
    if len(found) > MAX_LINES:
        raise UnreadableFileError(
            "too_many_rows",
            f"The file has more than {MAX_LINES} rows; split it.",
            f"Tệp có hơn {MAX_LINES} dòng; hãy chia nhỏ.",
        )
    return found


def _json_lines(content: bytes) -> Iterator[Record]:
    for number, line in enumerate(content.removeprefix(_BOM).split(b"\n"), start=1):
        stripped = line.strip()
        if len(stripped) > MAX_LINE_BYTES:
            yield Record(number, _TOO_LONG)
        elif stripped:
            yield Record(number, stripped)


Line = tuple[int, list[str] | FieldError]
"""A line of a table, or why it has no cells."""


def _csv_lines(content: bytes) -> Iterator[Line]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            "file_not_utf8",
            "The CSV file is not UTF-8; save it as “CSV UTF-8”.",
            "Tệp CSV không phải UTF-8; hãy lưu dạng “CSV UTF-8”.",
        ) from error
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = rows.line_num + 1
        try:
            yield line, next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, FieldError("", "csv_invalid", f"Not valid CSV: {error}.")


def _sheet_lines(sheet: Iterable[list[str]]) -> Iterator[Line]:
    for line, cells in enumerate(sheet, start=1):
        if sum(map(len, cells)) > MAX_LINE_BYTES:
            yield line, _TOO_LONG
        elif _SHEET_ERRORS.isdisjoint(cells):
            yield line, cells
        else:
            yield line, _SHEET_ERROR


def _table(lines: Iterable[Line]) -> Iterator[Record]:
    """Read lines under the first one that has cells: it names the fields."""
    header: list[str] | None = None
    for line, cells in lines:
        if isinstance(cells, FieldError):
            yield Record(line, cells)
        elif not any(cell.strip() for cell in cells):
            continue
        elif header is None:
            header = [cell.strip() for cell in cells]
        elif len(cells) > len(header):
            yield Record(line, _TOO_MANY_CELLS)
        else:
            yield Record(line, _nested(header, cells))


def _nested(header: list[str], cells: list[str]) -> dict[str, Any] | FieldError:
    """Return the row as an object: `budget.max` goes into `budget`; an empty cell says nothing."""
    content: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        value = cell.strip()
        if not value:
            continue
        *parents, leaf = name.split(".")
        here = content
        for parent in parents:
            here = here.setdefault(parent, {})
            if not isinstance(here, dict):
                return _CLASH
        if leaf in here:
            return _CLASH
        try:
            here[leaf] = json.loads(value) if value[0] in "[{" else value
        except (ValueError, RecursionError):
            pointer = "/" + name.replace(".", "/")
            return FieldError(pointer, "json_invalid", "Not valid JSON.", "JSON sai cú pháp.")
    return content


_SHEET_ERRORS = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"}
)
_SHEET_ERROR = FieldError(
    "", "cell_error", "A formula of the row shows an error.", "Một công thức của dòng báo lỗi."
)
_TOO_LONG = FieldError(
    "",
    "line_too_long",
    f"The line is longer than {MAX_LINE_BYTES // 1024} KiB.",
    f"Dòng dài hơn {MAX_LINE_BYTES // 1024} KiB.",
)
_TOO_MANY_CELLS = FieldError(
    "", "csv_too_many_cells", "More cells than the header has.", "Nhiều ô hơn dòng tiêu đề."
)
_CLASH = FieldError(
    "", "csv_columns_clash", "Two columns fill the same field.", "Hai cột cùng ghi một trường."
)
