"""Files of supplies: good rows kept, bad rows told, the same file again changes nothing."""

import asyncio
import csv
import io
import json
import sys
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from openpyxl import Workbook
from sqlalchemy import select, update

from shared.contracts.base import to_document
from shared.contracts.identity import Caller, Role
from shared.contracts.supplies import SupplyUpsert
from shared.imports import workbooks
from shared.imports.jobs import Imports
from shared.imports.runner import ImportRunner
from shared.kernel.clock import utc_now
from shared.kernel.ids import new_id
from shared.outbox import Transactions
from svc_supply.domain import supplies as rules
from svc_supply.storage import supplies as store
from svc_supply.storage import tables
from svc_supply.usecases.housekeeping import forget_old
from svc_supply.usecases.supplies import announce

Headers = dict[str, str]


def row(system: str, ref: object, **fields: Any) -> dict[str, Any]:
    return {
        "title": f"Nguồn cung {ref}",
        "description": "Mô tả",
        "language": "vi",
        "kind": "SERVICE",
        "source": {"system": system, "ref": str(ref)},
    } | fields


def lines(rows: list[Any]) -> bytes:
    return "\n".join(
        line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in rows
    ).encode()


async def send(
    client: httpx.AsyncClient,
    headers: Headers,
    content: bytes,
    name: str = "supplies.jsonl",
    kind: str = "SUPPLIES",
) -> httpx.Response:
    files = {"file": (name, content)}
    return await client.post("/v1/imports", data={"kind": kind}, files=files, headers=headers)


async def finished(client: httpx.AsyncClient, headers: Headers, sent: httpx.Response) -> Any:
    assert sent.status_code == 202, sent.text
    async with asyncio.timeout(30):
        while True:
            job = (await client.get(sent.headers["Location"], headers=headers)).json()
            if job["state"] in ("DONE", "FAILED"):
                return job
            await asyncio.sleep(0.02)


def counts(job: Any) -> tuple[int, ...]:
    names = ("total", "done", "created", "updated", "unchanged", "rejected")
    return tuple(job[name] for name in names)


async def test_good_rows_are_kept_and_the_same_file_again_changes_nothing(
    client: httpx.AsyncClient, operator: Headers, unique: str, facts: Any
) -> None:
    rows = [row(unique, number, status="PUBLISHED") for number in range(1200)]
    content = lines(rows)
    job = await finished(client, operator, await send(client, operator, content))
    assert (job["state"], counts(job)) == ("DONE", (1200, 1200, 1200, 0, 0, 0))
    again = await finished(client, operator, await send(client, operator, content))
    assert counts(again) == (1200, 1200, 0, 0, 1200, 0)
    rows[5]["title"] = "Nguồn cung mới"
    changed = await finished(client, operator, await send(client, operator, lines(rows)))
    assert counts(changed) == (1200, 1200, 0, 1, 1199, 0)
    supply = (await client.get(f"/v1/supplies/by-ref/{unique}/5", headers=operator)).json()
    assert (supply["status"], supply["version"]) == ("PUBLISHED", 2)
    assert await facts(supply["id"]) == [("published", 1), ("updated", 2)]
    told = await client.get(f"/v1/supplies/{supply['id']}/transitions", headers=operator)
    assert {item["reason"] for item in told.json()["items"]} == {f"import {job['id']}"}


async def test_events_carry_what_is_read_in_the_files_order(
    client: httpx.AsyncClient, operator: Headers, unique: str, transactions: Transactions
) -> None:
    first = [row(unique, n, status="PUBLISHED" if n % 3 else "DRAFT") for n in range(60)]
    await finished(client, operator, await send(client, operator, lines(first)))
    second = [row(unique, n, title="Mới", status="PUBLISHED") for n in range(40, 80)]
    await finished(client, operator, await send(client, operator, lines(second)))
    outbox = tables.messaging.outbox
    query = (
        select(tables.supply.c.source_ref, outbox)
        .join(outbox, outbox.c.aggregate_id == tables.supply.c.id)
        .where(tables.supply.c.source_system == unique)
        .order_by(outbox.c.seq)
    )
    async with transactions.read() as connection:
        told = (await connection.execute(query)).all()
    silent = [each for each in first if each["status"] == "DRAFT"]
    announced = [each["source"]["ref"] for each in [*first, *second] if each not in silent]
    assert [event.source_ref for event in told] == announced
    newest = {event.source_ref: event for event in told}
    for ref, event in newest.items():
        read = await client.get(f"/v1/supplies/by-ref/{unique}/{ref}", headers=operator)
        assert event.data == read.content
        assert event.aggregate_version == read.json()["version"]
        assert event.type.endswith(
            "updated.v1" if 40 <= int(ref) < 60 and int(ref) % 3 else "published.v1"
        )
    assert len({event.event_id for event in told}) == len(told)
    assert all(event.correlation_id and event.traceparent for event in told)


async def test_an_event_without_its_row_is_not_passed_over(
    transactions: Transactions, unique: str
) -> None:
    caller = Caller(client_id="c", role=Role.OPERATOR, tenant=unique)
    rows = [SupplyUpsert.model_validate(row(unique, n, status="PUBLISHED")) for n in range(3)]
    with pytest.raises(RuntimeError, match="a row that is not written"):
        async with transactions.begin() as work:
            changes = [
                rules.upsert(
                    None, each, new_id=new_id(), caller=caller, recorded_as="t", now=work.now
                )
                for each in rows
            ]
            made = [change for change in changes if change]
            documents = [to_document(change.after.resource) for change in made]
            announce(work, made, documents)
            written = store.rows_of(made[:2], documents[:2])
            await store.write(work.connection, written, work.hand_over())


async def test_each_refused_row_is_told_with_its_line(
    client: httpx.AsyncClient, operator: Headers, unique: str
) -> None:
    content = lines(
        [
            row(unique, 1),
            '{"title": ',
            "",
            row(unique, 2, titel="x"),
            {"title": "không mã"},
            row(unique, 3, status="PUBLISHED", description=None),
            row(unique, 4, price={"min": 2, "max": 1, "currency": "VND"}),
            '{"title": "a\\ud800"}',
            '{"title": "nul \\u0000", "\\u0000": 1}',
            row(unique, 5),
        ]
    )
    sent = await send(client, operator | {"Accept-Language": "en"}, content)
    job = await finished(client, operator, sent)
    assert counts(job) == (9, 9, 2, 0, 0, 7)
    path = f"{sent.headers['Location']}/errors"
    told: list[Any] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await client.get(path, params=query, headers=operator)).json()
        told += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert [(item["line"], item["code"], item["pointer"]) for item in told] == [
        (2, "json_invalid", ""),
        (4, "extra_forbidden", "/titel"),
        (5, "source_ref_required", "/source"),
        (6, "missing", "/description"),
        (7, "money_order", "/price"),
        (8, "json_invalid", ""),
        (9, "value_error", "/title"),
        (9, "extra_forbidden", "/\ufffd"),
    ]
    vietnamese = operator | {"Accept-Language": "vi"}
    again = await send(client, vietnamese, content)
    await finished(client, operator, again)
    page = await client.get(f"{again.headers['Location']}/errors", headers=operator)
    assert page.json()["items"][3]["message"] == "Thiếu trường bắt buộc."


async def test_a_key_that_stands_twice_in_a_file_is_written_twice(
    client: httpx.AsyncClient, operator: Headers, unique: str, facts: Any
) -> None:
    first = row(unique, 1, status="PUBLISHED")
    content = lines([first, first | {"title": "sau"}, first | {"title": "sau"}])
    job = await finished(client, operator, await send(client, operator, content))
    assert counts(job) == (3, 3, 1, 1, 1, 0)
    supply = (await client.get(f"/v1/supplies/by-ref/{unique}/1", headers=operator)).json()
    assert (supply["title"], supply["version"]) == ("sau", 2)


async def test_csv_has_the_fields_names_nested_by_dots(
    client: httpx.AsyncClient, operator: Headers, unique: str
) -> None:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(
        [
            "source.system", "source.ref", "status", "title", "description", "language",
            "kind", "fields", "keywords", "price.max", "price.currency", "specifications",
            "requires.skills", "available_until", "transfer.parts", "capacity",
        ]
    )  # fmt: skip
    quantity = json.dumps([{"name": "công suất", "min": 500, "unit": "kg/h"}], ensure_ascii=False)
    writer.writerow(
        [
            unique, "1", "PUBLISHED", "Sấy chè", "Hai\ndòng", "vi", "SERVICE", "2.11;2.5",
            "sấy; chè", "2000000000", "VND", quantity, "3", "2099-01-01", "KNOW_HOW;PROCESS", "4",
        ]
    )  # fmt: skip
    writer.writerow([unique, "2", "", "Chỉ tiêu đề"] + [""] * 12)
    writer.writerow([unique, "3", "", "Sai", "", "", "BUY"] + [""] * 9)
    writer.writerow([unique, "4", "", "Sai", *[""] * 7, "[{", *[""] * 4])
    writer.writerow([unique, "5", "", "Thừa", *[""] * 12, "ô thừa"])
    content = b"\xef\xbb\xbf" + table.getvalue().encode()
    sent = await send(client, operator, content, "supplies.csv")
    job = await finished(client, operator, sent)
    assert counts(job) == (5, 5, 2, 0, 0, 3)
    supply = (await client.get(f"/v1/supplies/by-ref/{unique}/1", headers=operator)).json()
    assert supply["status"] == "PUBLISHED"
    assert supply["description"] == "Hai\ndòng"
    assert supply["fields"] == ["2.11", "2.5"]
    assert supply["keywords"] == ["sấy", "chè"]
    assert supply["price"]["max"] == 2_000_000_000
    assert supply["specifications"][0]["min"] == 500
    assert supply["requires"]["skills"] == 3
    assert supply["transfer"]["parts"] == ["KNOW_HOW", "PROCESS"]
    assert supply["capacity"] == 4
    page = await client.get(f"{sent.headers['Location']}/errors", headers=operator)
    assert [(item["line"], item["pointer"]) for item in page.json()["items"]] == [
        (5, "/kind"),
        (6, "/specifications"),
        (7, ""),
    ]


def workbook(rows: list[list[Any]]) -> bytes:
    made, out = Workbook(), io.BytesIO()
    assert made.active is not None
    for cells in rows:
        made.active.append(cells)
    made.save(out)
    return out.getvalue()


async def test_a_workbook_is_read_like_csv(
    client: httpx.AsyncClient, operator: Headers, unique: str
) -> None:
    header = "source.system,source.ref,title,status,description,language,kind"
    header += ",keywords,available_until,price.max,price.currency"
    whole = [unique, 1.0, "Sấy chè", "PUBLISHED", "Mô tả", "vi", "SERVICE"]
    whole += ["sấy; chè", date(2099, 1, 31), 2e9, "VND"]
    part = [unique, "3", "Chỉ tiêu đề"]
    content = workbook([header.split(","), whole, [unique, 2, None], part])
    sent = await send(client, operator, content, "supplies.xlsx")
    assert sent.json()["total"] == 0
    job = await finished(client, operator, sent)
    assert counts(job) == (3, 3, 2, 0, 0, 1)
    found = (await client.get(f"/v1/supplies/by-ref/{unique}/1", headers=operator)).json()
    assert (found["status"], found["keywords"]) == ("PUBLISHED", ["sấy", "chè"])
    assert (found["available_until"], found["price"]["max"]) == ("2099-01-31", 2_000_000_000)
    page = await client.get(f"{sent.headers['Location']}/errors", headers=operator)
    assert [(item["line"], item["pointer"]) for item in page.json()["items"]] == [(3, "/title")]
    again = await finished(client, operator, await send(client, operator, content, "x.XLSX"))
    assert counts(again) == (3, 3, 0, 0, 2, 1)


async def test_a_workbook_that_kills_its_reader_fails_alone(
    client: httpx.AsyncClient, operator: Headers, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(workbooks, "CHILD", (sys.executable, "-c", program))
    sent = await send(client, operator, workbook([["title"]]), "a.xlsx")
    behind = await send(client, operator, lines([row(unique, 1)]))
    job = await finished(client, operator, sent)
    assert (job["state"], job["detail"]) == ("FAILED", "xlsx_too_costly")
    page = await client.get(f"{sent.headers['Location']}/errors", headers=operator)
    [told] = page.json()["items"]
    assert (told["line"], told["pointer"], told["code"]) == (0, "/file", "xlsx_too_costly")
    assert counts(await finished(client, operator, behind)) == (1, 1, 1, 0, 0, 0)


async def test_finished_jobs_keep_no_file_and_are_forgotten_after_their_time(
    client: httpx.AsyncClient, operator: Headers, transactions: Transactions, unique: str
) -> None:
    sent = [
        await send(client, operator, lines([row(unique, 1)])),
        await send(client, operator, lines([row(unique, 2), "x"])),
    ]
    jobs = [await finished(client, operator, each) for each in sent]
    table = tables.imports.job
    ids = [job["id"] for job in jobs]
    async with transactions.read() as connection:
        query = select(table.c.id).where(table.c.id.in_(ids), table.c.file.is_not(None))
        assert (await connection.execute(query)).all() == []
    old = utc_now() - timedelta(days=31)
    async with transactions.begin() as work:
        await work.connection.execute(
            update(table).where(table.c.id == ids[0]).values(updated_at=old)
        )
    await forget_old(transactions)
    statuses = [
        (await client.get(each.headers["Location"], headers=operator)).status_code for each in sent
    ]
    assert statuses == [404, 200]


async def test_rows_have_the_senders_rights(
    client: httpx.AsyncClient, owner: Headers, unique: str
) -> None:
    content = lines([row(unique, 1), row(unique, 3, status="PUBLISHED")])
    sent = await send(client, owner, content)
    job = await finished(client, owner, sent)
    assert counts(job) == (2, 2, 1, 0, 0, 1)
    page = await client.get(f"{sent.headers['Location']}/errors", headers=owner)
    assert [item["code"] for item in page.json()["items"]] == ["status_by_operator_only"]


@pytest.mark.parametrize(
    ("name", "content", "kind", "status", "code"),
    [
        ("supplies.xlsx", b"x", "SUPPLIES", 422, "xlsx_unreadable"),
        ("supplies.pdf", b"x", "SUPPLIES", 422, "file_type_unsupported"),
        ("supplies.csv", b"title\n\xff\xfe", "SUPPLIES", 422, "file_not_utf8"),
        ("supplies.jsonl", b"{}\n" * 100_001, "SUPPLIES", 422, "too_many_rows"),
        ("demands.jsonl", b"{}", "DEMANDS", 422, "kind_elsewhere"),
        ("supplies.jsonl", b"{}", "NONSENSE", 422, "invalid_content"),
        ("supplies.jsonl", b" " * (11 * 1024 * 1024), "SUPPLIES", 413, "too_large"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_at_once(
    client: httpx.AsyncClient,
    operator: Headers,
    transactions: Any,
    name: str,
    content: bytes,
    kind: str,
    status: int,
    code: str,
) -> None:
    async with transactions.read() as connection:
        before = len((await connection.execute(select(tables.imports.job.c.id))).all())
    answer = await send(client, operator, content, name, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    async with transactions.read() as connection:
        assert len((await connection.execute(select(tables.imports.job.c.id))).all()) == before


async def test_an_empty_file_is_done_at_once(client: httpx.AsyncClient, operator: Headers) -> None:
    for name in ("a.jsonl", "a.csv"):
        job = await finished(client, operator, await send(client, operator, b"\n\n", name))
        assert counts(job) == (0, 0, 0, 0, 0, 0)


async def test_a_job_is_seen_by_its_tenant_and_operators(
    client: httpx.AsyncClient, operator: Headers, owner: Headers, authorization: Any, unique: str
) -> None:
    sent = await send(client, owner, lines([row(unique, 1)]))
    await finished(client, owner, sent)
    path = sent.headers["Location"]
    assert (await client.get(path)).status_code == 401
    stranger = authorization("provider", "stranger")
    for suffix in ("", "/errors"):
        assert (await client.get(path + suffix, headers=stranger)).status_code == 404
        assert (await client.get(path + suffix, headers=operator)).status_code == 200
    assert (await send(client, authorization("reader"), b"{}")).status_code == 403
    dost = authorization("dost")
    assert (await send(client, dost, b"{}")).json()["scope"] == "supplies:write"


async def test_a_repeated_upload_with_its_key_is_one_job(
    client: httpx.AsyncClient, owner: Headers, unique: str
) -> None:
    keyed = owner | {"Idempotency-Key": unique}
    content = lines([row(unique, 1)])
    first = await send(client, keyed, content)
    again = await send(client, keyed, content)
    assert again.json() == first.json()
    await finished(client, owner, first)
    other = await send(client, keyed, lines([row(unique, 2)]))
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_two_workers_share_the_jobs_and_repeat_nothing(
    client: httpx.AsyncClient, operator: Headers, app: Any, unique: str, facts: Any
) -> None:
    imports: Imports = app.state.imports
    rivals = [ImportRunner(imports) for _ in range(3)]
    rows = [row(unique, number, status="PUBLISHED") for number in range(1600)]
    sent = await send(client, operator, lines(rows))

    async def work(runner: ImportRunner) -> None:
        for _ in range(10):
            await runner.step()

    await asyncio.gather(*(work(runner) for runner in rivals))
    job = await finished(client, operator, sent)
    assert counts(job) == (1600, 1600, 1600, 0, 0, 0)
    supply = (await client.get(f"/v1/supplies/by-ref/{unique}/1599", headers=operator)).json()
    assert await facts(supply["id"]) == [("published", 1)]


async def test_a_worker_that_dies_in_the_middle_repeats_and_skips_nothing(
    client: httpx.AsyncClient, operator: Headers, app: Any, unique: str, facts: Any
) -> None:
    imports: Imports = app.state.imports
    rows = [row(unique, number, status="PUBLISHED") for number in range(1600)]
    sent = await send(client, operator, lines(rows))
    for turns in range(1, 40):
        dying = asyncio.create_task(ImportRunner(imports).step())
        for _ in range(turns):
            await asyncio.sleep(0)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
    job = await finished(client, operator, sent)
    assert counts(job) == (1600, 1600, 1600, 0, 0, 0)
    for ref in (0, 799, 1599):
        supply = (await client.get(f"/v1/supplies/by-ref/{unique}/{ref}", headers=operator)).json()
        assert await facts(supply["id"]) == [("published", 1)]
