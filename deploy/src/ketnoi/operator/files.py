"""Splits a large JSONL or CSV file into parts that one import takes, lines still countable.

A workbook cannot be cut and goes as it is.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ketnoi.errors import UsageError
from shared.contracts.imports import MAX_FILE_BYTES

PART_BYTES = 4 * 1024 * 1024
"""Below the API's 10 MiB: a part is imported in seconds, so progress is seen."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file; row `line` of the part is line `line + offset` of the file."""

    name: str
    content: bytes
    offset: int


def parts_of(path: Path, part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """Yield the file in pieces; UsageError when it cannot be read or is of another kind."""
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".csv", ".xlsx"):
        raise UsageError(f"{path.name}: only .jsonl, .csv and .xlsx can be imported.")
    try:
        if suffix == ".xlsx":
            yield _workbook(path)
        elif suffix == ".jsonl":
            yield from _jsonl_parts(path, part_bytes)
        else:
            yield from _csv_parts(path, part_bytes)
    except OSError as error:
        raise UsageError(f"Cannot read {path}: {error.strerror}.") from error


def _workbook(path: Path) -> Part:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UsageError(
            f"{path.name} is larger than {MAX_FILE_BYTES // 1024**2} MiB, and a workbook cannot be"
            " sent in parts. Save the sheet as CSV (UTF-8), or split the workbook."
        )
    return Part(path.name, path.read_bytes(), 0)


def _jsonl_parts(path: Path, part_bytes: int) -> Iterator[Part]:
    lines: list[bytes] = []
    size = offset = number = 0
    with path.open("rb") as file:
        for line in file:
            if lines and size + len(line) > part_bytes:
                yield Part(f"{path.stem}-{number}.jsonl", b"".join(lines), offset)
                offset += len(lines)
                number += 1
                lines, size = [], 0
            lines.append(line)
            size += len(line)
    if lines:
        yield Part(f"{path.stem}-{number}.jsonl", b"".join(lines), offset)


def _csv_parts(path: Path, part_bytes: int) -> Iterator[Part]:
    """A quoted cell may hold line breaks, so the file is cut between records."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None:
                return
            first_line = reader.line_num
            number, before = 0, first_line
            out = _started(header)
            for row in reader:
                row_text = _row(row)
                if out.tell() > len(_row(header)) and out.tell() + len(row_text) > part_bytes:
                    yield _part(path, number, out, before - first_line)
                    number, before = number + 1, reader.line_num - row_text.count("\n")
                    out = _started(header)
                out.write(row_text)
            yield _part(path, number, out, before - first_line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path.name} is not a readable CSV file ({error}). Save it as UTF-8 CSV."
        ) from error


def _row(cells: list[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _started(header: list[str]) -> io.StringIO:
    out = io.StringIO(newline="")
    out.write(_row(header))
    return out


def _part(path: Path, number: int, out: io.StringIO, offset: int) -> Part:
    return Part(f"{path.stem}-{number}.csv", out.getvalue().encode(), offset)
