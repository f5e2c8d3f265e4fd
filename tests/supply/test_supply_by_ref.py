"""The by-ref upsert, by the contract's rules."""

import asyncio
from typing import Any

import httpx
import pytest

Headers = dict[str, str]
ROW: dict[str, Any] = {
    "title": "Công nghệ sấy chè",
    "description": "Dây chuyền sấy.",
    "language": "vi",
    "kind": "LINE",
}


@pytest.fixture
def path(unique: str) -> str:
    return f"/v1/supplies/by-ref/so-khcn/{unique}"


async def test_created_then_unchanged_then_updated(
    client: httpx.AsyncClient, owner: Headers, path: str, facts: Any, unique: str
) -> None:
    made = await client.put(path, json=ROW, headers=owner)
    assert (made.status_code, made.json()["status"]) == (201, "DRAFT")
    assert made.json()["source"]["ref"] == unique
    assert made.headers["Location"] == f"/v1/supplies/{made.json()['id']}"
    same = await client.put(path, json=ROW, headers=owner)
    assert (same.status_code, same.json()) == (200, made.json())
    other = await client.put(path, json=ROW | {"title": "khác"}, headers=owner)
    assert (other.status_code, other.json()["version"]) == (200, 2)
    assert (await client.get(path, headers=owner)).json() == other.json()
    assert await facts(made.json()["id"]) == []


async def test_an_operators_status_is_one_version_and_one_event(
    client: httpx.AsyncClient, operator: Headers, path: str, facts: Any
) -> None:
    made = await client.put(path, json=ROW | {"status": "PUBLISHED"}, headers=operator)
    supply = made.json()
    assert (made.status_code, supply["status"], supply["version"]) == (201, "PUBLISHED", 1)
    for _ in range(2):
        again = await client.put(path, json=ROW | {"status": "PUBLISHED"}, headers=operator)
        assert (again.status_code, again.json()["version"]) == (200, 1)
    held = await client.put(path, json=ROW | {"status": "ON_HOLD"}, headers=operator)
    assert (held.json()["status"], held.json()["version"]) == ("ON_HOLD", 2)
    assert await facts(supply["id"]) == [("published", 1), ("held", 2)]
    told = await client.get(f"/v1/supplies/{supply['id']}/transitions", headers=operator)
    assert len(told.json()["items"]) == 5
    assert {item["version"] for item in told.json()["items"]} == {1, 2}


async def test_others_may_not_send_a_status(
    client: httpx.AsyncClient, owner: Headers, path: str
) -> None:
    answer = await client.put(path, json=ROW | {"status": "DRAFT"}, headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (403, "status_by_operator_only")


async def test_a_prohibited_row_is_refused_when_it_would_be_published(
    client: httpx.AsyncClient, operator: Headers, path: str
) -> None:
    row = ROW | {"legal_list": "PROHIBITED"}
    answer = await client.put(path, json=row | {"status": "PUBLISHED"}, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (422, "supply_prohibited")
    assert (await client.put(path, json=row, headers=operator)).status_code == 201


async def test_a_past_row_is_accepted_and_expired(
    client: httpx.AsyncClient, operator: Headers, path: str, facts: Any
) -> None:
    row = ROW | {"status": "PUBLISHED", "available_until": "2020-01-01"}
    made = await client.put(path, json=row, headers=operator)
    assert (made.status_code, made.json()["status"]) == (201, "EXPIRED")
    again = await client.put(path, json=row, headers=operator)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert await facts(made.json()["id"]) == [("expired", 1)]


@pytest.mark.parametrize("status", ["REJECTED", "WITHDRAWN", "ARCHIVED"])
async def test_closed_ones_are_a_conflict(
    client: httpx.AsyncClient, operator: Headers, path: str, status: str
) -> None:
    made = await client.put(path, json=ROW | {"status": status}, headers=operator)
    assert made.json()["status"] == status
    again = await client.put(path, json=ROW | {"title": "x"}, headers=operator)
    assert (again.status_code, again.json()["code"]) == (409, "supply_closed")


async def test_guards_hold(client: httpx.AsyncClient, operator: Headers, path: str) -> None:
    answer = await client.put(path, json={"title": "x", "status": "PUBLISHED"}, headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (422, "supply_incomplete")
    assert (await client.get(path, headers=operator)).status_code == 404


async def test_if_match_is_optional_and_checked(
    client: httpx.AsyncClient, owner: Headers, path: str
) -> None:
    stale = owner | {"If-Match": '"7"'}
    assert (await client.put(path, json=ROW, headers=stale)).status_code == 412
    assert (await client.put(path, json=ROW, headers=owner)).status_code == 201
    assert (await client.put(path, json=ROW, headers=stale)).status_code == 412
    fresh = owner | {"If-Match": '"1"'}
    assert (await client.put(path, json=ROW | {"title": "x"}, headers=fresh)).status_code == 200


async def test_the_body_may_not_contradict_the_address(
    client: httpx.AsyncClient, owner: Headers, path: str
) -> None:
    row = ROW | {"source": {"system": "so-khcn", "ref": "another"}}
    answer = await client.put(path, json=row, headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (422, "source_ref_mismatch")


async def test_a_reference_may_hold_a_slash_and_vietnamese(
    client: httpx.AsyncClient, owner: Headers, unique: str
) -> None:
    path = f"/v1/supplies/by-ref/sở-khcn/2026/{unique}"
    made = await client.put(path, json=ROW, headers=owner)
    assert made.json()["source"]["ref"] == f"2026/{unique}"
    assert (await client.get(path, headers=owner)).json() == made.json()


async def test_each_tenant_has_its_own_keys(
    client: httpx.AsyncClient, owner: Headers, authorization: Any, path: str
) -> None:
    mine = (await client.put(path, json=ROW, headers=owner)).json()
    stranger = authorization("enterprise", "stranger")
    assert (await client.get(path, headers=stranger)).status_code == 404
    theirs = (await client.put(path, json=ROW, headers=stranger)).json()
    assert theirs["id"] != mine["id"]


async def test_rivals_create_one_supply(
    client: httpx.AsyncClient, operator: Headers, path: str, facts: Any
) -> None:
    row = ROW | {"status": "PUBLISHED"}
    answers = await asyncio.gather(
        *(client.put(path, json=row, headers=operator) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await facts(answers[0].json()["id"]) == [("published", 1)]


async def test_a_repeated_request_with_its_key_gives_the_same_answer(
    client: httpx.AsyncClient, owner: Headers, path: str, unique: str
) -> None:
    keyed = owner | {"Idempotency-Key": unique}
    answers = [await client.put(path, json=ROW, headers=keyed) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
