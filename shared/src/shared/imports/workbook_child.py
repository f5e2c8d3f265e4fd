"""Reads a workbook in a process of its own: `python -m shared.imports.workbook_child < file`.

Writes one JSON array of texts a row of the first sheet, then `null`; whatever the file does to
this process (memory, time, a crash) happens to nobody else.
"""

import io
import json
import resource
import sys
import warnings
from datetime import date, datetime, time, timedelta
from typing import Any

MEMORY_BYTES = 512 * 1024 * 1024
CPU_SECONDS = 20
TOO_COSTLY = 3
"""The exit code for a file that needs more memory than it may."""

_VIETNAM = "+07:00"


def text_of(value: Any) -> str:
    """Return a cell as the same text that a CSV file would have."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # Excel keeps 15 digits; the sixteenth is noise of the binary form.
        return str(int(value)) if value.is_integer() else format(value, ".15g")
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.isoformat(timespec="seconds") + _VIETNAM
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def rows(content: bytes) -> Any:
    """Yield the rows of the first sheet; formulas give the values that were saved with them."""
    from openpyxl import load_workbook  # type: ignore[import-untyped]  # has no types

    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what the file says of its size may be anything
    for row in sheet.iter_rows(values_only=True):
        yield [text_of(value) for value in row]


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    out = sys.stdout.buffer
    try:
        for cells in rows(sys.stdin.buffer.read()):
            while cells and not cells[-1]:
                cells.pop()
            out.write(json.dumps(cells).encode() + b"\n")
        out.write(b"null\n")
        out.flush()
    except MemoryError:
        sys.exit(TOO_COSTLY)


if __name__ == "__main__":
    main()
