"""What tells of a hidden row without showing it: keys, replays, imports, counts, old matches."""

import asyncio
import json
import re
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ABSENT = "019a0000-0000-7000-8000-000000000000"


def one(world: Any, **wanted: Any) -> Any:
    """A row of this description."""
    return next(
        row
        for row in world.rows.values()
        if all(getattr(row, name) == value for name, value in wanted.items())
    )


def outsiders(world: Any, scope: str, *insiders: str) -> list[Any]:
    return [
        who
        for who in world.people.values()
        if who.name not in insiders and who.has(scope) and who.role != "operator"
    ]


def bare(answer: Any, *names: str) -> tuple[int, str]:
    body = json.dumps(answer.json() | {"request_id": None})
    for name in names:
        body = body.replace(name, "NAME")
    return answer.status, body


async def test_a_key_of_another_tenant_is_free_to_use(world: Any) -> None:
    """Nobody learns that a key is taken elsewhere; the other's row stays as it was."""
    for plural, scope, owner in (
        ("demands", "demands:write", "enterprise"),
        ("supplies", "supplies:write", "provider"),
    ):
        path = f"/v1/{plural}/by-ref/crossings/a-key-of-mine"
        mine = await world.ok(owner, "PUT", path, json={"title": "cnryd9997x"})
        for who in outsiders(world, scope):
            if who.tenant == mine["owner"] or who.name == "dost-nowhere":
                continue
            place = {"province": who.province} if who.role == "dost" else {}
            said = {"title": "của tôi"} | (place if plural == "demands" else {})
            taken = await world.ask(who, "PUT", path, json=said)
            free = await world.ask(who, "PUT", f"{path}-free", json=said)
            # 200 only where a client of the same tenant has been here a moment ago.
            assert taken.status == free.status < 300, (who.name, taken.raw)
            assert taken.json()["owner"] == who.tenant
            assert b"cnryd9997x" not in taken.raw
        assert await world.ok(owner, "GET", path) == mine
    assert world.crossings == []


async def test_a_dost_cannot_ask_which_keys_an_enterprise_has(world: Any) -> None:
    """The DOST may edit the demand; its key is the owner's, taken or not."""
    mine = one(world, plural="demands", owner="enterprise-1", status="SUBMITTED", province="19")
    hidden = await world.plant("enterprise", "demands", "DRAFT", "PRIVATE", "33")
    dost = world.people["dost-19"]
    answers = [
        await world.ask(
            dost,
            "PATCH",
            mine.path,
            json={"source_ref": {"system": "crossings", "ref": ref}},
            headers={"If-Match": f'"{mine.version}"'},
        )
        for ref in (hidden.ref, "free")
    ]
    taken, free = (bare(answer, hidden.ref, "free") for answer in answers)
    assert taken == free
    assert taken[0] == 403


async def test_a_stored_answer_is_given_to_its_own_client_only(world: Any) -> None:
    """The same Idempotency-Key from another client is another key."""
    for plural, scope, owner in (
        ("demands", "demands:write", "enterprise"),
        ("supplies", "supplies:write", "provider"),
    ):
        key = {"Idempotency-Key": f"crossing-{plural}"}
        said = {"title": "cnryd9999x"}
        mine = await world.ok(owner, "POST", f"/v1/{plural}", json=said, headers=key)
        for who in outsiders(world, scope, owner):
            title = {"title": "khác"} | ({"province": who.province} if who.province else {})
            if plural == "supplies" or (who.role == "dost" and not who.province):
                title.pop("province", None)
            answer = await world.ask(who, "POST", f"/v1/{plural}", json=title, headers=key)
            if who.role == "dost" and not who.province and plural == "demands":
                assert answer.status == 403
                continue
            assert answer.status == 201, (who.name, answer.raw)
            assert (answer.json()["id"] != mine["id"], answer.json()["title"]) == (True, "khác")
            assert b"cnryd9999x" not in answer.raw


@pytest.mark.parametrize(("kind", "owner"), [("DEMANDS", "enterprise"), ("SUPPLIES", "provider")])
async def test_imports_and_their_errors_are_the_tenants_own(
    world: Any, kind: str, owner: str
) -> None:
    """Job, counts and the refused rows' messages: for the tenant and operators, else absent."""
    word = "cnryd9998x"
    rows = [
        {"title": word, "kind": word, "source_ref": {"system": word, "ref": word}},
        {"title": word, word: word},
        {"title": word, "status": "PUBLISHED"},
    ]
    file = "\n".join(json.dumps(row) for row in rows)
    import aiohttp

    form = aiohttp.FormData({"kind": kind})
    form.add_field("file", file.encode(), filename=f"{word}.jsonl")
    job = await world.ok(owner, "POST", "/v1/imports", data=form)
    path = f"/v1/imports/{job['id']}"
    while (await world.ok(owner, "GET", path))["state"] not in ("DONE", "FAILED"):
        await asyncio.sleep(0.05)
    errors = await world.ok(owner, "GET", f"{path}/errors")
    assert len(errors["items"]) >= 3
    tenant = world.people[owner].tenant
    for who in world.people.values():
        if who.role == "anonymous":
            assert (await world.ask(who, "GET", path)).status == 401
            continue
        for tail in ("", "/errors"):
            answer = await world.ask(who, "GET", path + tail)
            absent = await world.ask(who, "GET", f"/v1/imports/{ABSENT}{tail}")
            if who.role == "operator" or who.tenant == tenant:
                assert answer.status == 200
            else:
                assert bare(answer, job["id"]) == bare(absent, ABSENT)
                assert word.encode() not in answer.raw


async def _seen_by(world: Any, who: Any) -> str:
    """All that a caller can ask for in general: lists, counts, and its own lists of matches."""
    parts = []
    for plural in ("demands", "supplies"):
        page = await world.ask(who, "GET", f"/v1/{plural}?limit=200")
        parts.append([(item["id"], item["version"]) for item in page.json()["items"]])
    board = (await world.ask(who, "GET", "/v1/reporting/dashboard")).json()
    parts.append({name: part for name, part in board.items() if name != "as_of"})
    for row in list(world.rows.values()):
        if row.plural == "demands" and row.owner == who.tenant and row.status == "PUBLISHED":
            page = (await world.ask(who, "GET", f"{row.path}/matches")).json()
            parts.append([(item["rank"], item["supply_id"]) for item in page["items"]])
            asked = world.ask(who, "GET", f"{row.path}/diagnosis", allowed=world.near_misses())
            found = (await asked).json()
            parts.append([miss["supply_id"] for miss in found["near_misses"]])
            parts.append(found["diagnosis"])
    return json.dumps(parts, sort_keys=True)


async def test_what_is_hidden_changes_nothing_that_others_can_ask_for(world: Any) -> None:
    """Two worlds that differ in hidden rows only look the same: no count, rank or diagnosis."""
    names = ("anonymous", "reader", "enterprise-2", "dost-33", "intermediary", "office-kr")
    await world.settled()
    before = {name: await _seen_by(world, world.people[name]) for name in names}
    for status in ("PUBLISHED", "ON_HOLD", "EXPIRED", "FLAGGED", "SUBMITTED"):
        await world.plant("provider", "supplies", status, "PRIVATE")
    for status in ("PUBLISHED", "ON_HOLD", "EXPIRED", "FORWARDED", "FULFILLED"):
        await world.plant("enterprise", "demands", status, "PRIVATE", "19")
    await world.plant("enterprise", "demands", "UNDER_REVIEW", "PUBLIC", "19")
    await world.plant("provider", "supplies", "UNDER_VALIDATION", "PUBLIC")
    await world.settled()
    after = {name: await _seen_by(world, world.people[name]) for name in names}
    assert [name for name in names if before[name] != after[name]] == []
    assert world.crossings == []


async def test_an_old_match_shows_nothing_of_what_has_been_taken_back(world: Any) -> None:
    """A match that was fair to show does not become a window into drafts."""
    demand = one(world, plural="demands", owner="enterprise-2", visibility="PUBLIC")
    supply = one(
        world, plural="supplies", owner="office-kr", visibility="PUBLIC", status="PUBLISHED"
    )
    page = await world.ok("operator", "GET", f"{demand.path}/matches?limit=100")
    (match_id,) = (item["id"] for item in page["items"] if item["supply_id"] == supply.id)
    path = f"/v1/matches/{match_id}"
    buyer, seller = world.people["enterprise-2"], world.people["office-kr"]
    for who in (buyer, seller):
        assert (await world.ask(who, "GET", path)).status == 200

    supply = await world.move("office-kr", supply, "ON_HOLD")
    word = "cnrys9001x"
    texts = {"title": f"Lò sấy chè bơm nhiệt {word}", "summary": word}
    supply = await world.change("office-kr", supply, **texts, price={"min": 7, "currency": "VND"})
    await _heard(world, path, word)
    known = {supply.id}  # the buyer has seen the id, and the match keeps it
    old = await world.ask(buyer, "GET", path, allowed=known)
    assert (old.status, old.json()["state"]) == (200, "STALE")
    assert old.json()["supply"] is None
    assert word.encode() not in old.raw

    supply = await world.move("office-kr", supply, "PUBLISHED")
    await world.settled()
    assert word in (await world.ask(buyer, "GET", path)).json()["supply"]["title"]
    await world.change("enterprise-2", demand, visibility="PRIVATE")
    await world.settled()
    await _until_status(world, seller, path, 404)
    assert (await world.ask(buyer, "GET", path)).status == 200
    listed = await world.ask(seller, "GET", f"{supply.path}/matches?limit=100")
    assert demand.id not in listed.raw.decode()

    await world.change("office-kr", supply, visibility="PRIVATE")
    for _ in range(400):
        lists = await world.ok("enterprise-2", "GET", f"{demand.path}/matches?limit=100")
        if supply.id not in json.dumps(lists):
            break
        await asyncio.sleep(0.05)
    assert supply.id not in json.dumps(lists)
    hidden = await world.ask(buyer, "GET", path, allowed=known)
    assert hidden.json()["supply"] is None
    assert word.encode() not in hidden.raw
    misses = await world.ask(buyer, "GET", f"{demand.path}/diagnosis", checked=False)
    assert supply.id not in misses.raw.decode()
    assert world.crossings == []


async def _heard(world: Any, path: str, word: str) -> None:
    """Wait until matching's copy of the supply holds the word."""
    for _ in range(400):
        if word in json.dumps(await world.ok("operator", "GET", path)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("matching has not heard")


async def _until_status(world: Any, who: Any, path: str, status: int) -> None:
    for _ in range(400):
        if (await world.ask(who, "GET", path)).status == status:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{path} did not become {status}")


async def test_open_pages_of_operations_name_no_row(world: Any) -> None:
    """Metrics and health are for anybody who reaches the port."""
    nobody = world.people["anonymous"]
    for path in ("/metrics", "/healthz", "/openapi.json"):
        answer = await world.ask(nobody, "GET", path)
        assert not re.search(rb"cnry[ds]\d", answer.raw), path
    assert world.crossings == []
