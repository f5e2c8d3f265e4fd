"""Files as rows with line numbers: JSON Lines, and CSV in the contract's field names."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.kernel.errors import FieldError, InvalidError

MAX_LINES = 100_000
MAX_LINE_BYTES = 512 * 1024
_BOM = b"\xef\xbb\xbf"

csv.field_size_limit(MAX_LINE_BYTES)


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands in the file; `line` counts from 1, as an editor shows it."""

    line: int
    content: bytes | dict[str, Any] | FieldError


def read_records(file_name: str, content: bytes) -> list[Record]:
    """Return the rows of a file; a file that cannot be read at all is refused."""
    suffix = file_name.lower().rpartition(".")[2]
    if suffix == "jsonl":
        records = list(_json_lines(content))
    elif suffix == "csv":
        records = list(_csv_rows(content))
    else:
        raise _refused(
            "file_type_unsupported",
            "Send a file whose name ends in .jsonl or .csv.",
            "Hãy gửi tệp có đuôi .jsonl hoặc .csv.",
        )
    if len(records) > MAX_LINES:
        raise _refused(
            "too_many_rows",
            f"The file has more than {MAX_LINES} rows; split it.",
            f"Tệp có hơn {MAX_LINES} dòng; hãy chia nhỏ.",
        )
    return records


def _json_lines(content: bytes) -> Iterator[Record]:
    for number, line in enumerate(content.removeprefix(_BOM).split(b"\n"), start=1):
        stripped = line.strip()
        if len(stripped) > MAX_LINE_BYTES:
            yield Record(number, _TOO_LONG)
        elif stripped:
            yield Record(number, stripped)


def _csv_rows(content: bytes) -> Iterator[Record]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(
            "file_not_utf8",
            "The CSV file is not UTF-8; save it as “CSV UTF-8”.",
            "Tệp CSV không phải UTF-8; hãy lưu dạng “CSV UTF-8”.",
        ) from error
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        line = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, FieldError("", "csv_invalid", f"Not valid CSV: {error}."))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
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


def _refused(code: str, en: str, vi: str) -> InvalidError:
    return InvalidError(code, en, vi, errors=(FieldError("/file", code, en, vi),))
