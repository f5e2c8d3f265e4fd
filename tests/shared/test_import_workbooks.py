"""Workbooks become rows like tables of CSV do, and a hostile one harms nobody but itself."""

import asyncio
import io
import random
import sys
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook

from shared.imports import workbooks
from shared.imports.files import Record, check_file, read_records
from shared.imports.refusals import UnreadableFileError
from shared.kernel.errors import FieldError


def book(rows: Iterable[list[Any]]) -> bytes:
    made = Workbook()
    assert made.active is not None
    for row in rows:
        made.active.append(row)
    made.create_sheet("other").append(["title"])
    return saved(made)


def saved(made: Workbook) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


_SHARED_STRINGS = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-'
    b'officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)
_PARTS = {"sheet": "xl/worksheets/sheet1.xml", "book": "xl/workbook.xml"}


def rewritten(content: bytes, *, strings: bytes | None = None, **parts: bytes) -> bytes:
    """Return the workbook with parts replaced (`sheet`, `book`), or with a table of strings."""
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    entries |= {_PARTS[name]: part for name, part in parts.items()}
    if strings is not None:
        types = entries["[Content_Types].xml"]
        entries["[Content_Types].xml"] = types.replace(b"</Types>", _SHARED_STRINGS)
        entries["xl/sharedStrings.xml"] = strings
    return zipped(entries)


def zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in entries.items():
            made.writestr(name, content)
    return out.getvalue()


async def contents(content: bytes) -> list[tuple[int, object]]:
    return [
        (r.line, r.content.code if isinstance(r.content, FieldError) else r.content)
        for r in await read_records("x.xlsx", content)
    ]


async def refusal_of(content: bytes) -> str:
    with pytest.raises(UnreadableFileError) as refusal:
        await read_records("x.xlsx", content)
    return refusal.value.code


async def test_cells_are_the_texts_that_csv_would_have() -> None:
    day, moment = date(2026, 1, 31), datetime.fromisoformat("2026-01-31T08:30")
    content = book(
        [
            [],
            ["title", "number", "share", "sum", "yes", "day", "moment", "hour", "price.max"],
            ["Sấy chè", 5.0, 0.1 + 0.2, 2e9, True, day, moment, time(8, 30), 12],
            [],
            [None, "", "  ", None, False],
        ]
    )
    assert await contents(content) == [
        (
            3,
            {
                "title": "Sấy chè",
                "number": "5",
                "share": "0.3",
                "sum": "2000000000",
                "yes": "true",
                "day": "2026-01-31",
                "moment": "2026-01-31T08:30:00+07:00",
                "hour": "08:30:00",
                "price": {"max": "12"},
            },
        ),
        (5, {"yes": "false"}),
    ]


async def test_rows_are_refused_as_in_csv() -> None:
    content = book(
        [
            ["title", "inner", "inner.size"],
            ["a", "b", 1],
            ["a", None, None, "too many"],
            ["a", "[{"],
            ["a", "#DIV/0!"],
            [random.Random(n).randbytes(15_000).hex() for n in range(20)],
            ["good"],
        ]
    )
    assert await contents(content) == [
        (2, "csv_columns_clash"),
        (3, "csv_too_many_cells"),
        (4, "json_invalid"),
        (5, "cell_error"),
        (6, "line_too_long"),
        (7, {"title": "good"}),
    ]


async def test_a_formula_counts_as_the_value_saved_with_it() -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c>'
        b'<c r="B1" t="inlineStr"><is><t>trl</t></is></c></row>'
        b'<row r="4"><c r="A4" t="str"><f>CONCAT("a","b")</f><v>ab</v></c>'
        b'<c r="B4"><f>2+3</f><v>5</v></c></row></sheetData></worksheet>'
    )
    content = rewritten(book([["x"]]), sheet=sheet)
    assert await contents(content) == [(4, {"title": "ab", "trl": "5"})]


async def test_what_a_sheet_says_of_its_size_is_not_believed() -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<dimension ref="A1:XFD1048576"/><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c></row>'
        b'<row r="2"><c r="A2" t="inlineStr"><is><t>a</t></is></c></row>'
        b"</sheetData></worksheet>"
    )
    assert await contents(rewritten(book([["x"]]), sheet=sheet)) == [(2, {"title": "a"})]


def test_a_workbook_is_not_opened_to_be_accepted() -> None:
    assert check_file("X.XLSX", book([["title"], ["a"]])) == 0


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "xlsx_unreadable"),
        (b"title,tags\na,b\n", "xlsx_unreadable"),
        (random.Random(1).randbytes(10_000), "xlsx_unreadable"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(1000), "xlsx_encrypted"),
        (zipped({"word/document.xml": b"<x/>"}), "xlsx_unreadable"),
        (zipped({"xl/workbook.xml": bytes(20 * 1024 * 1024)}), "xlsx_too_costly"),
        (zipped({f"{number}": b"" for number in range(2_001)}), "xlsx_too_costly"),
        (book([["title"], ["a"]])[:-30], "xlsx_unreadable"),
    ],
    ids=["empty", "csv", "noise", "ole2", "docx", "bomb", "entries", "cut"],
)
async def test_what_is_no_workbook_is_refused_by_its_table_of_contents(
    content: bytes, code: str
) -> None:
    with pytest.raises(UnreadableFileError) as refusal:
        check_file("x.xlsx", content)
    assert refusal.value.code == code


def test_declared_sizes_are_added_up() -> None:
    noise = random.Random(1).randbytes(1 << 20)
    content = zipped({f"xl/{number}": noise for number in range(2)} | {"xl/workbook.xml": b""})
    check_file("x.xlsx", content)
    forged = content.replace((1 << 20).to_bytes(4, "little"), (60 << 20).to_bytes(4, "little"))
    with pytest.raises(UnreadableFileError) as refusal:
        check_file("x.xlsx", forged)
    assert refusal.value.code == "xlsx_too_costly"


_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]>"
)
_MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("sheet", b"<worksheet %s><sheetData>&a9;</sheetData></worksheet>" % _MAIN),
        ("strings", b"<sst %s><si><t>&a9;</t></si></sst>" % _MAIN),
        ("book", b"<workbook %s>&a9;</workbook>" % _MAIN),
    ],
)
async def test_entities_are_not_expanded(part: str, body: bytes) -> None:
    content = rewritten(book([["title"], ["a"]]), **{part: _LAUGHS + body})
    assert await refusal_of(content) == "xlsx_unreadable"


async def test_sixteen_thousand_columns_are_refused() -> None:
    assert await refusal_of(book([[f"c{number}" for number in range(16_384)]])) == (
        "too_many_columns"
    )


async def test_one_text_in_very_many_cells_is_refused() -> None:
    long = random.Random(1).randbytes(16_000).hex().encode()
    cells = b"".join(b'<c t="s"><v>0</v></c>' for _ in range(900))
    rows = b"".join(b"<row>%s</row>" % cells for _ in range(10))
    content = rewritten(
        book([["x"]]),
        strings=b"<sst %s><si><t>%s</t></si></sst>" % (_MAIN, long),
        sheet=b"<worksheet %s><sheetData>%s</sheetData></worksheet>" % (_MAIN, rows),
    )
    assert await refusal_of(content) == "xlsx_too_costly"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import os; os.kill(os.getpid(), 9)", "xlsx_too_costly"),
        (
            "import resource as r; r.setrlimit(r.RLIMIT_CPU, (1, 1))\nwhile True: pass",
            "xlsx_too_costly",
        ),
        ("import sys; sys.exit(3)", "xlsx_too_costly"),
        ("import sys; sys.exit(1)", "xlsx_unreadable"),
        ("import os; os.abort()", "xlsx_unreadable"),
        ("print('[\"title\"]')", "xlsx_unreadable"),
        ("import time; time.sleep(60)", "xlsx_too_costly"),
        ("import sys\nwhile True: sys.stdout.buffer.write(bytes(1 << 20))", "xlsx_too_costly"),
    ],
    ids=["killed", "cpu", "memory", "failed", "crashed", "half", "slow", "endless"],
)
async def test_whatever_happens_to_the_child_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, program: str, code: str
) -> None:
    monkeypatch.setattr(workbooks, "CHILD", (sys.executable, "-c", program))
    monkeypatch.setattr(workbooks, "MAX_SECONDS", 3.0)
    assert await refusal_of(book([["title"], ["a"]])) == code


async def test_the_child_is_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "from shared.imports import workbook_child as child\n"
        "child.rows = lambda content: iter([bytearray(1 << 30)])\n"
        "child.main()"
    )
    monkeypatch.setattr(workbooks, "CHILD", (sys.executable, "-c", program))
    assert await refusal_of(book([["title"]])) == "xlsx_too_costly"


async def test_the_loop_goes_on_while_a_workbook_is_read() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    turning = asyncio.create_task(turn())
    records = await read_records("x.xlsx", book([["title"], *([f"{n}"] for n in range(5_000))]))
    turning.cancel()
    assert records[-1] == Record(5_001, {"title": "4999"})
    assert turns > 20
