"""Files become rows with their line numbers, whatever stands in them."""

import pytest
from pydantic import BaseModel

from shared.imports.files import MAX_LINE_BYTES, Record, read_records
from shared.imports.rows import distinct_runs, parse
from shared.kernel.errors import FieldError, InvalidError


class Inner(BaseModel):
    names: list[str] = []
    size: int | None = None


class Row(BaseModel):
    title: str
    tags: list[str] = []
    inner: Inner | None = None


async def contents(name: str, content: bytes) -> list[tuple[int, object]]:
    return [
        (r.line, r.content.code if isinstance(r.content, FieldError) else r.content)
        for r in await read_records(name, content)
    ]


async def test_json_lines_keep_their_numbers_over_blank_ones() -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}\n'
    assert await contents("x.jsonl", content) == [(1, b'{"a":1}'), (4, b'{"b":2}')]


async def test_a_line_that_is_too_long_is_refused_alone() -> None:
    content = b"{}\n" + b"x" * (MAX_LINE_BYTES + 1) + b"\n{}"
    assert await contents("x.jsonl", content) == [(1, b"{}"), (2, "line_too_long"), (3, b"{}")]


async def test_csv_rows_count_the_lines_inside_cells() -> None:
    content = 'title,inner.size\n"hai\ndòng",3\nmột,\n,,\n'.encode()
    assert await contents("x.CSV", content) == [
        (2, {"title": "hai\ndòng", "inner": {"size": "3"}}),
        (4, {"title": "một"}),
    ]


async def test_a_semicolon_may_separate_cells() -> None:
    assert await contents("x.csv", b"title;tags\na;b") == [(2, {"title": "a", "tags": "b"})]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'title,tags\n"a"b,c\n', "csv_invalid"),
        (b"title\na,b\n", "csv_too_many_cells"),
        (b"inner,inner.size\na,1\n", "csv_columns_clash"),
        (b"inner.size,inner\n1,a\n", "csv_columns_clash"),
        (b"title,title\na,b\n", "csv_columns_clash"),
        (b"inner\n{\n", "json_invalid"),
    ],
)
async def test_a_broken_csv_row_is_refused_alone(content: bytes, code: str) -> None:
    assert [found for _, found in await contents("x.csv", content)] == [code]


async def test_the_rows_after_a_broken_one_are_read() -> None:
    content = b'title,tags\n"a"b,c\nd,e\n'
    assert (await contents("x.csv", content))[-1] == (3, {"title": "d", "tags": "e"})


@pytest.mark.parametrize("name", ["x.xls", "x", "", "x.jsonl.exe"])
async def test_other_kinds_of_files_are_refused(name: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        await read_records(name, b"")
    assert refusal.value.code == "file_type_unsupported"


def test_lists_of_plain_values_share_a_cell() -> None:
    record = Record(2, {"title": "t", "tags": "a; b;", "inner": {"names": "c;d", "size": "3"}})
    row = parse(record, Row, english=True)
    assert isinstance(row, Row)
    assert (row.tags, row.inner) == (["a", "b"], Inner(names=["c", "d"], size=3))


def test_errors_are_in_the_language_asked_for() -> None:
    for english, message in ((True, "Field required"), (False, "Thiếu trường bắt buộc.")):
        errors = parse(Record(1, b"{}"), Row, english=english)
        assert errors == [FieldError("/title", "missing", message)]


def test_runs_repeat_no_key_and_keep_the_order() -> None:
    assert list(distinct_runs("abcabda", str)) == [["a", "b", "c"], ["a", "b", "d"], ["a"]]
    assert list(distinct_runs("", str)) == []
