"""Excel workbooks as rows: looked at before they are opened, and opened by a guarded child."""

import asyncio
import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress

from shared.imports import workbook_child
from shared.imports.refusals import UnreadableFileError

MAX_ENTRIES = 2_000
MAX_INFLATED_BYTES = 50 * 1024 * 1024
MAX_RATIO = 100
MAX_COLUMNS = 1_000
MAX_SECONDS = 60.0
MAX_TEXT_BYTES = 64 * 1024 * 1024
"""One long text may stand in many cells; what the child writes is bounded as well."""

_OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = 0x1
CHILD = (sys.executable, "-I", "-m", workbook_child.__name__)


def check_workbook(content: bytes) -> None:
    """Refuse what is no workbook or would not end well, by its table of contents alone."""
    if content.startswith(_OLE2):
        raise UnreadableFileError(
            "xlsx_encrypted",
            "The file is protected by a password, or an old .xls; save it as .xlsx without one.",
            "Tệp có mật khẩu hoặc là .xls cũ; hãy lưu dạng .xlsx không mật khẩu.",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _unreadable() from error
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise UnreadableFileError(
            "xlsx_encrypted", "The file is encrypted; save it plainly.", "Tệp bị mã hóa."
        )
    inflated = sum(entry.file_size for entry in entries)
    if (
        len(entries) > MAX_ENTRIES
        or inflated > MAX_INFLATED_BYTES
        or inflated > MAX_RATIO * len(content)
    ):
        raise _too_costly()
    if "xl/workbook.xml" not in {entry.filename for entry in entries}:
        raise _unreadable()


async def read_workbook(content: bytes) -> list[list[str]]:
    """Return the first sheet's rows as texts; a file that breaks the child is refused."""
    child = await asyncio.create_subprocess_exec(
        *CHILD,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        | {"OPENPYXL_LXML": "False", "OPENPYXL_DEFUSEDXML": "True"},
        limit=MAX_TEXT_BYTES,
    )
    try:
        async with asyncio.timeout(MAX_SECONDS):
            _, said = await asyncio.gather(_feed(child, content), _listen(child))
            code = await child.wait()
    except TimeoutError as error:
        raise _too_costly() from error
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if said is None or code in (workbook_child.TOO_COSTLY, -signal.SIGXCPU, -signal.SIGKILL):
        raise _too_costly()
    if code != 0:
        raise _unreadable()
    return await asyncio.to_thread(lambda: list(_rows(said)))


async def _feed(child: asyncio.subprocess.Process, content: bytes) -> None:
    assert child.stdin is not None  # noqa: S101 - a pipe
    with suppress(ConnectionError):
        child.stdin.write(content)
        await child.stdin.drain()
    child.stdin.close()


async def _listen(child: asyncio.subprocess.Process) -> bytes | None:
    """Return what the child says; None once it has said too much."""
    assert child.stdout is not None  # noqa: S101 - a pipe
    parts: list[bytes] = []
    size = 0
    while part := await child.stdout.read(1 << 20):
        size += len(part)
        if size > MAX_TEXT_BYTES:
            child.kill()
            return None
        parts.append(part)
    return b"".join(parts)


def _rows(said: bytes) -> Iterator[list[str]]:
    lines = said.split(b"\n")
    if lines[-2:] != [b"null", b""]:
        raise _unreadable()
    for line in lines[:-2]:
        cells: list[str] = json.loads(line)
        if len(cells) > MAX_COLUMNS:
            raise UnreadableFileError(
                "too_many_columns",
                f"The sheet has more than {MAX_COLUMNS:,} columns.",
                f"Trang tính có hơn {MAX_COLUMNS} cột.",
            )
        yield cells


def _unreadable() -> UnreadableFileError:
    return UnreadableFileError(
        "xlsx_unreadable",
        "The file is not a readable .xlsx workbook; save it again with a spreadsheet program.",
        "Tệp không phải bảng tính .xlsx đọc được; hãy lưu lại bằng phần mềm bảng tính.",
    )


def _too_costly() -> UnreadableFileError:
    return UnreadableFileError(
        "xlsx_too_costly",
        "Unpacked, the workbook is too large to read; split it, or send CSV.",
        "Sau khi giải nén, bảng tính quá lớn; hãy chia nhỏ hoặc gửi CSV.",
    )
