"""Supplies through HTTP: created, read, changed, moved; each change with its event."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import func, select

from svc_supply.storage import tables

Headers = dict[str, str]
COMPLETE = {
    "title": "Công nghệ sấy chè",
    "description": "Dây chuyền sấy.",
    "language": "vi",
    "kind": "LINE",
}


def at(version: int) -> Headers:
    return {"If-Match": f'"{version}"'}


async def test_a_draft_is_created_with_location_and_etag(
    client: httpx.AsyncClient, owner: Headers, facts: Any
) -> None:
    answer = await client.post("/v1/supplies", json={"title": "Sấy vải"}, headers=owner)
    assert answer.status_code == 201
    supply = answer.json()
    assert answer.headers["Location"] == f"/v1/supplies/{supply['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (supply["status"], supply["version"], supply["visibility"]) == ("DRAFT", 1, "PUBLIC")
    assert supply["created_at"].endswith("Z")
    assert await facts(supply["id"]) == []


async def test_the_way_to_published_and_off_it(
    client: httpx.AsyncClient, operator: Headers, create: Any, publish: Any, facts: Any
) -> None:
    supply = await publish(await create())
    assert (supply["status"], supply["version"]) == ("PUBLISHED", 4)
    path = f"/v1/supplies/{supply['id']}"
    held = await client.post(
        f"{path}/transitions", json={"to": "ON_HOLD", "reason": "chờ"}, headers=operator | at(4)
    )
    assert held.json()["status"] == "ON_HOLD"
    gone = await client.post(
        f"{path}/transitions", json={"to": "WITHDRAWN", "reason": "thôi"}, headers=operator | at(5)
    )
    assert (gone.json()["status"], gone.headers["ETag"]) == ("WITHDRAWN", '"6"')
    assert await facts(supply["id"]) == [
        ("submitted", 2),
        ("under_validation", 3),
        ("published", 4),
        ("held", 5),
        ("withdrawn", 6),
    ]


async def test_an_event_carries_the_whole_supply(
    client: httpx.AsyncClient, create: Any, publish: Any, transactions: Any
) -> None:
    supply = await publish(await create(price={"max": 5, "currency": "VND"}))
    outbox = tables.messaging.outbox
    async with transactions.read() as connection:
        data = await connection.scalar(
            select(outbox.c.data).where(
                outbox.c.aggregate_id == supply["id"], outbox.c.aggregate_version == 4
            )
        )
    assert httpx.Response(200, content=data).json() == supply


async def test_the_history_tells_the_way_and_what_is_allowed(
    client: httpx.AsyncClient, owner: Headers, operator: Headers, create: Any, publish: Any
) -> None:
    supply = await publish(await create())
    path = f"/v1/supplies/{supply['id']}/transitions"
    told = (await client.get(path, headers=owner)).json()
    assert [(item["from"], item["to"]) for item in told["items"]] == [
        (None, "DRAFT"),
        ("DRAFT", "SUBMITTED"),
        ("SUBMITTED", "UNDER_VALIDATION"),
        ("UNDER_VALIDATION", "PUBLISHED"),
    ]
    assert told["items"][0]["role"] == "provider"
    assert told["allowed"] == ["ON_HOLD", "TRANSFERRED_EXCLUSIVELY", "WITHDRAWN"]
    by_operator = (await client.get(path, headers=operator)).json()["allowed"]
    assert by_operator == ["ON_HOLD", "FLAGGED", "TRANSFERRED_EXCLUSIVELY", "WITHDRAWN"]


async def test_the_history_is_for_insiders(
    client: httpx.AsyncClient, authorization: Any, create: Any, publish: Any
) -> None:
    supply = await publish(await create())
    path = f"/v1/supplies/{supply['id']}/transitions"
    for headers, expected in (
        ({}, 401),
        (authorization("enterprise", "somebody-else"), 404),
        (authorization("dost", "dost-19", province="19"), 404),
        (authorization("reader"), 404),
    ):
        assert (await client.get(path, headers=headers)).status_code == expected


async def test_a_refused_move_names_the_allowed_ones(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    supply = await create()
    for to in ("PUBLISHED", "NOWHERE", "DRAFT"):
        answer = await client.post(
            f"/v1/supplies/{supply['id']}/transitions", json={"to": to}, headers=owner | at(1)
        )
        assert answer.status_code == 409
        assert answer.json()["code"] == "transition_not_allowed"
        assert answer.json()["allowed"] == ["SUBMITTED", "WITHDRAWN"]


async def test_an_incomplete_draft_is_not_submitted(
    client: httpx.AsyncClient, owner: Headers, facts: Any
) -> None:
    supply = (await client.post("/v1/supplies", json={"title": "x"}, headers=owner)).json()
    answer = await client.post(
        f"/v1/supplies/{supply['id']}/transitions", json={"to": "SUBMITTED"}, headers=owner | at(1)
    )
    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/description", "/language", "/kind"]
    assert await facts(supply["id"]) == []


async def test_patch_replaces_given_fields_and_null_clears(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    supply = await create(
        price={"min": 1, "max": 2, "currency": "VND"},
        keywords=["chè"],
        available_until="2099-01-01",
    )
    answer = await client.patch(
        f"/v1/supplies/{supply['id']}",
        json={"price": {"max": 9, "currency": "USD"}, "keywords": None, "available_until": None},
        headers=owner | at(1),
    )
    assert answer.status_code == 200
    changed = answer.json()
    assert changed["price"] == {"min": None, "max": 9, "currency": "USD", "qualifier": "EXACT"}
    assert (changed["keywords"], changed["available_until"]) == ([], None)
    assert changed["title"] == supply["title"]
    assert (changed["version"], answer.headers["ETag"]) == (2, '"2"')
    assert (await client.get(f"/v1/supplies/{supply['id']}", headers=owner)).json() == changed


async def test_a_patch_without_a_difference_keeps_the_version(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    supply = await create()
    answer = await client.patch(
        f"/v1/supplies/{supply['id']}", json={"title": supply["title"]}, headers=owner | at(1)
    )
    assert (answer.status_code, answer.json()) == (200, supply)


async def test_the_title_cannot_be_cleared(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    supply = await create()
    for title in (None, "", "  "):
        answer = await client.patch(
            f"/v1/supplies/{supply['id']}", json={"title": title}, headers=owner | at(1)
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/title"


async def test_a_published_supply_changes_with_an_event_and_stays_complete(
    client: httpx.AsyncClient, owner: Headers, create: Any, publish: Any, facts: Any
) -> None:
    supply = await publish(await create())
    path = f"/v1/supplies/{supply['id']}"
    changed = await client.patch(path, json={"summary": "mới"}, headers=owner | at(4))
    assert (changed.json()["status"], changed.json()["version"]) == ("PUBLISHED", 5)
    refused = await client.patch(path, json={"description": None}, headers=owner | at(5))
    assert refused.status_code == 422
    assert refused.json()["code"] == "supply_incomplete"
    assert (await facts(supply["id"]))[-1] == ("updated", 5)


async def test_a_published_supply_that_is_given_a_past_date_expires(
    client: httpx.AsyncClient, owner: Headers, create: Any, publish: Any, facts: Any
) -> None:
    supply = await publish(await create())
    path = f"/v1/supplies/{supply['id']}"
    past = await client.patch(path, json={"available_until": "2020-01-01"}, headers=owner | at(4))
    assert (past.json()["status"], past.json()["version"]) == ("EXPIRED", 5)
    again = {"to": "PUBLISHED"}
    too_soon = await client.post(f"{path}/transitions", json=again, headers=owner | at(5))
    assert too_soon.json()["code"] == "new_date_required"
    await client.patch(path, json={"available_until": "2099-01-01"}, headers=owner | at(5))
    alive = await client.post(f"{path}/transitions", json=again, headers=owner | at(6))
    assert alive.json()["status"] == "PUBLISHED"
    assert [fact for fact, _ in await facts(supply["id"])][-3:] == [
        "expired", "updated", "published",
    ]  # fmt: skip


async def test_what_has_ended_is_not_edited(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    supply = await create()
    path = f"/v1/supplies/{supply['id']}"
    wish = {"to": "WITHDRAWN", "reason": "thôi"}
    await client.post(f"{path}/transitions", json=wish, headers=owner | at(1))
    answer = await client.patch(path, json={"title": "y"}, headers=owner | at(2))
    assert (answer.status_code, answer.json()["code"]) == (409, "supply_not_editable")


async def test_whoever_only_reads_may_not_change(
    client: httpx.AsyncClient, authorization: Any, create: Any, publish: Any
) -> None:
    draft = await create()
    published = await publish(await create())
    stranger = authorization("enterprise", "stranger") | at(1)
    for supply, expected in ((draft, 404), (published, 403)):
        path = f"/v1/supplies/{supply['id']}"
        answer = await client.patch(path, json={"title": "y"}, headers=stranger)
        assert answer.status_code == expected
        answer = await client.post(
            f"{path}/transitions", json={"to": "WITHDRAWN", "reason": "x"}, headers=stranger
        )
        assert answer.status_code == expected


async def test_without_the_scope_nothing_is_written(
    client: httpx.AsyncClient, authorization: Any
) -> None:
    for role in ("dost", "reader", "reporter", "intermediary"):
        answer = await client.post("/v1/supplies", json=COMPLETE, headers=authorization(role))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    answer = await client.post("/v1/supplies", json=COMPLETE)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_required")


async def test_if_none_match_saves_the_body(
    client: httpx.AsyncClient, owner: Headers, create: Any
) -> None:
    path = f"/v1/supplies/{(await create())['id']}"
    for tag, expected in (
        ('"1"', 304),
        ('W/"1"', 304),
        ('"2", "1"', 304),
        ("*", 304),
        ('"2"', 200),
    ):
        answer = await client.get(path, headers=owner | {"If-None-Match": tag})
        assert answer.status_code == expected
        assert answer.headers["ETag"] == '"1"'


async def test_of_twenty_writers_with_one_version_exactly_one_wins(
    client: httpx.AsyncClient, owner: Headers, create: Any, facts: Any, publish: Any
) -> None:
    supply = await publish(await create())
    answers = await asyncio.gather(
        *(
            client.patch(
                f"/v1/supplies/{supply['id']}",
                json={"summary": f"writer {number}"},
                headers=owner | at(4),
            )
            for number in range(20)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 19
    assert (await facts(supply["id"]))[-1] == ("updated", 5)


async def test_a_repeated_request_with_its_key_gives_the_same_answer(
    client: httpx.AsyncClient, owner: Headers, create: Any, count_rows: Any, unique: str
) -> None:
    keyed = owner | {"Idempotency-Key": f"k-{unique}"}
    first = await client.post("/v1/supplies", json=COMPLETE, headers=keyed)
    before = await count_rows()
    again = await asyncio.gather(
        *(client.post("/v1/supplies", json=COMPLETE, headers=keyed) for _ in range(5))
    )
    assert await count_rows() == before
    for answer in again:
        assert answer.status_code == 201
        assert answer.json() == first.json()
        assert answer.headers["Location"] == first.headers["Location"]
    other = await client.post("/v1/supplies", json=COMPLETE | {"title": "y"}, headers=keyed)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    path = f"/v1/supplies/{first.json()['id']}/transitions"
    move = owner | at(1) | {"Idempotency-Key": f"m-{unique}"}
    moved = [await client.post(path, json={"to": "SUBMITTED"}, headers=move) for _ in range(2)]
    assert [answer.json()["version"] for answer in moved] == [2, 2]


async def test_a_key_of_another_client_is_another_key(
    client: httpx.AsyncClient, owner: Headers, authorization: Any, unique: str
) -> None:
    key = {"Idempotency-Key": f"k-{unique}"}
    mine = await client.post("/v1/supplies", json=COMPLETE, headers=owner | key)
    other = authorization("provider", f"other-{unique}")
    theirs = await client.post("/v1/supplies", json=COMPLETE, headers=other | key)
    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine.json()["id"]


async def test_a_natural_key_is_unique_in_its_tenant(
    client: httpx.AsyncClient, create: Any, authorization: Any, owner: Headers, unique: str
) -> None:
    ref = {"source": {"system": "erp", "ref": unique}}
    await create(**ref)
    answer = await client.post("/v1/supplies", json=COMPLETE | ref, headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (409, "source_ref_taken")
    await create(headers=authorization("provider", f"other-{unique}"), **ref)


async def test_a_prohibited_technology_is_never_published(
    client: httpx.AsyncClient, operator: Headers, create: Any, publish: Any
) -> None:
    supply = await publish(await create(legal_list="RESTRICTED"))
    answer = await client.patch(
        f"/v1/supplies/{supply['id']}",
        json={"legal_list": "PROHIBITED"},
        headers=operator | at(4),
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "supply_prohibited")


async def test_the_events_reach_the_stream(
    client: httpx.AsyncClient, create: Any, publish: Any, transactions: Any
) -> None:
    supply = await publish(await create())
    outbox = tables.messaging.outbox
    waiting = (
        select(func.count())
        .select_from(outbox)
        .where(outbox.c.aggregate_id == supply["id"], outbox.c.published_at.is_(None))
    )
    async with asyncio.timeout(10):
        while True:
            async with transactions.read() as connection:
                if not await connection.scalar(waiting):
                    break
            await asyncio.sleep(0.05)
