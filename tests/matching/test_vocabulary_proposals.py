"""Proposals: who may make them, what is refused and how it is said, and who decides."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from svc_matching.domain.proposals import MAX_OPEN
from svc_matching.engine.vocabulary import load_vocabulary
from svc_matching.storage import tables, vocabularies

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/vocabularies/technology"
PROPOSALS = f"{PATH}/proposals"
WORD: dict[str, Any] = {
    "kind": "ADD",
    "concept_id": "zorbulator",
    "broader": ["tea-drying"],
    "labels": {"vi": ["máy dùm vặc"], "en": ["zorbulator"], "ko": ["조르불레이터"]},
    "reason": "Ba cơ sở gọi như vậy.",
}


@pytest.fixture
def send(client: httpx.AsyncClient, authorization: Callable[..., dict[str, str]]) -> Ask:
    """Post as somebody: `send(path, body, "dost", "dost-19")`."""

    async def post(
        path: str,
        body: dict[str, Any],
        role: str = "office",
        tenant: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **claims: Any,
    ) -> httpx.Response:
        given = {} if role == "anonymous" else authorization(role, tenant, **claims)
        return await client.post(path, json=body, headers=given | (headers or {}))

    return post


@pytest.fixture
def decide(send: Ask) -> Ask:
    async def move(
        proposal: dict[str, Any], to: str, role: str = "operator", *, version: int = 1, **more: Any
    ) -> httpx.Response:
        body = {"to": to, "reason": "vì đúng"}
        path = f"{PROPOSALS}/{proposal['id']}/transitions"
        return await send(path, body, role, headers={"If-Match": f'"{version}"'}, **more)

    return move


async def proposed(send: Ask, **given: Any) -> dict[str, Any]:
    answer = await send(PROPOSALS, WORD | given)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def accepted(send: Ask, decide: Ask, **given: Any) -> dict[str, Any]:
    answer = await decide(await proposed(send, **given), "ACCEPTED")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_an_accepted_concept_is_a_version_and_is_found(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    made = await proposed(send)
    assert (made["status"], made["version"], made["owner"]) == ("PROPOSED", 1, "office")
    assert (await ask(f"{PATH}/zorbulator")).status_code == 404
    done = (await decide(made, "ACCEPTED")).json()
    version = f"{load_vocabulary().version}+1"
    assert (done["status"], done["version"], done["vocabulary_version"]) == ("ACCEPTED", 2, version)
    assert (done["decided_by"], done["decision_reason"]) == ("client-operator-operator", "vì đúng")
    concept = (await ask(f"{PATH}/zorbulator")).json()
    assert (
        concept | {"origin": "CURATED", "version": version, "sector": "tea-coffee-rice"} == concept
    )
    assert concept["labels"]["ko"] == ["조르불레이터"]
    assert "zorbulator" in (await ask(f"{PATH}/tea-drying")).json()["narrower"]
    found = (await ask(PATH, "anonymous", params={"q": "may dum vac"})).json()
    assert [item["id"] for item in found["items"]] == ["zorbulator"]
    page = (await ask(f"{PATH}/versions")).json()
    told = [(item["version"], item["concept_id"], item["proposal_id"]) for item in page["items"]]
    assert told == [(version, "zorbulator", made["id"]), (load_vocabulary().version, None, None)]
    assert (page["version"], page["in_use"]) == (version, load_vocabulary().version)


async def test_history_says_who_proposed_who_decided_and_why(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    made = await proposed(send)
    path = f"{PROPOSALS}/{made['id']}/transitions"
    assert (await ask(path)).json()["allowed"] == ["ACCEPTED", "REJECTED"]
    assert (await ask(path, "office")).json()["allowed"] == ["WITHDRAWN"]
    await decide(made, "REJECTED")
    history = (await ask(path, "office")).json()
    steps = [(s["from"], s["to"], s["actor"], s["reason"]) for s in history["items"]]
    assert steps == [
        (None, "PROPOSED", "client-office-office", "Ba cơ sở gọi như vậy."),
        ("PROPOSED", "REJECTED", "client-operator-operator", "vì đúng"),
    ]
    assert history["allowed"] == []
    again = await decide(made, "ACCEPTED", version=2)
    assert (again.status_code, again.json()["code"]) == (409, "transition_not_allowed")
    assert (await ask(f"{PATH}/zorbulator")).status_code == 404


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("dost", 201),
        ("enterprise", 201),
        ("provider", 201),
        ("intermediary", 201),
        ("operator", 201),
        ("reader", 403),
        ("ops", 403),
        ("reporter", 403),
        ("anonymous", 401),
    ],
)
async def test_who_works_with_technology_may_propose(
    world: World, send: Ask, role: str, status: int
) -> None:
    assert (await send(PROPOSALS, WORD, role)).status_code == status


async def test_only_curators_decide_and_nobody_on_their_own(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    theirs = await proposed(send)
    refused = await decide(theirs, "ACCEPTED", "office")
    assert (refused.status_code, refused.json()["code"]) == (409, "transition_not_allowed")
    assert (await decide(theirs, "ACCEPTED", "dost")).status_code == 404
    own = (await send(PROPOSALS, WORD, "operator")).json()
    refused = await decide(own, "ACCEPTED")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_proposal")
    assert "ACCEPTED" not in (await ask(f"{PROPOSALS}/{own['id']}/transitions")).json()["allowed"]
    other = await decide(own, "ACCEPTED", sub="client-operator-two")
    assert other.json()["status"] == "ACCEPTED"


async def test_proposals_are_seen_by_their_tenant_and_curators(
    world: World, ask: Ask, send: Ask
) -> None:
    made = await proposed(send)
    await send(PROPOSALS, WORD, "dost", "dost-19")

    async def seen(role: str, tenant: str | None = None) -> int:
        return len((await ask(PROPOSALS, role, tenant)).json()["items"])

    assert [await seen("operator"), await seen("office"), await seen("provider")] == [2, 1, 0]
    path = f"{PROPOSALS}/{made['id']}"
    assert (await ask(path, "office")).json() == made
    hidden, absent = await ask(path, "provider"), await ask(f"{PROPOSALS}/{'0' * 32}", "provider")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.json()["detail"] == absent.json()["detail"]
    page = (await ask(PROPOSALS, params={"limit": 1})).json()
    rest = (await ask(PROPOSALS, params={"limit": 1, "cursor": page["next_cursor"]})).json()
    assert {page["items"][0]["owner"], rest["items"][0]["owner"]} == {"office", "dost-19"}


FLAWS: list[tuple[dict[str, Any], str, str]] = [
    ({"concept_id": "tea-drying"}, "/concept_id", "concept_exists"),
    ({"kind": "CHANGE"}, "/concept_id", "concept_unknown"),
    ({"concept_id": "untagged"}, "/concept_id", "reserved"),
    ({"concept_id": "Tea Drying"}, "/concept_id", "string_pattern_mismatch"),
    ({"broader": None}, "/broader", "broader_missing"),
    ({"broader": ["tea-levitation"]}, "/broader/0", "broader_unknown"),
    ({"broader": ["tea-drying", "tea-drying"]}, "/broader", "broader_count"),
    ({"broader": ["zorbulator"]}, "/broader/0", "broader_unknown"),
    ({"labels": {"vi": ["máy dùm vặc"]}}, "/labels/en", "label_missing"),
    ({"labels": {"vi": ["x y"], "en": ["Tea-Drying"]}}, "/labels/en/0", "label_taken"),
    ({"labels": {"vi": ["x y"], "en": ["ab", "AB"]}}, "/labels/en/1", "label_twice"),
    ({"labels": {"vi": ["x y"], "en": ["a|b"]}}, "/labels/en/0", "label_unclean"),
    ({"labels": {"vi": ["x y"], "en": ["조르"]}}, "/labels/en/0", "label_script"),
    ({"labels": {"vi": ["x y"], "en": ["42"]}}, "/labels/en/0", "label_short"),
    ({"labels": {"vi": ["x y"], "en": ["z" * 81]}}, "/labels/en/0", "string_too_long"),
    ({"labels": {"vi": ["x y"], "en": ["q w"], "fr": ["p"]}}, "/labels/fr", "enum"),
    ({"labels": {"vi": ["x y"], "en": ["n" * n for n in range(2, 27)]}}, "/labels/en", "too_long"),
    ({"reason": " "}, "/reason", "string_too_short"),
]


@pytest.mark.parametrize(("given", "pointer", "code"), FLAWS, ids=[flaw[2] for flaw in FLAWS])
async def test_a_flaw_is_named_by_place_in_both_languages(
    world: World, send: Ask, given: dict[str, Any], pointer: str, code: str
) -> None:
    told = []
    for language in ("en", "vi"):
        answer = await send(PROPOSALS, WORD | given, headers={"Accept-Language": language})
        assert answer.status_code == 422, answer.text
        errors = {error["code"]: error for error in answer.json()["errors"]}
        assert code in errors, errors
        assert errors[code]["pointer"].startswith(pointer)
        told.append(errors[code]["message"])
    assert told[0] != told[1]
    assert await world.rows(tables.vocabulary_proposal) == []


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"concept_id": "tea-coffee-rice", "deprecated": True}, "sector_root"),
    ({"concept_id": "tea-processing", "deprecated": True}, "has_narrower"),
    ({"concept_id": "tea-processing", "broader": ["tea-drying"]}, "broader_cycle"),
    ({"concept_id": "tea-drying", "broader": ["tea-drying"]}, "broader_cycle"),
    ({"concept_id": "tea-drying", "deprecated": False}, "no_change"),
]


@pytest.mark.parametrize(("given", "code"), CHANGES)
async def test_a_change_must_leave_the_whole_in_order(
    world: World, send: Ask, given: dict[str, Any], code: str
) -> None:
    answer = await send(PROPOSALS, {"kind": "CHANGE", "reason": "thử"} | given)
    assert answer.status_code == 422
    assert code in [error["code"] for error in answer.json()["errors"]]


async def test_a_change_replaces_what_it_names_and_leaves_the_rest(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    before = (await ask(f"{PATH}/tea-drying")).json()
    labels = {"de": ["Teetrocknung", "Dürrblattofen"]}
    change = {"kind": "CHANGE", "concept_id": "tea-drying", "labels": labels, "broader": None}
    await accepted(send, decide, **change)
    after = (await ask(f"{PATH}/tea-drying")).json()
    version = f"{load_vocabulary().version}+1"
    assert after == before | {"labels": before["labels"] | labels, "version": version}
    assert after["origin"] == "SHIPPED"


async def test_a_deprecated_concept_gives_its_labels_free(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    await accepted(send, decide)
    again = {"concept_id": "zorbulator-b"}
    assert (await send(PROPOSALS, WORD | again)).status_code == 422
    gone = {"kind": "CHANGE", "deprecated": True, "labels": None, "broader": None}
    await accepted(send, decide, **gone)
    assert (await ask(f"{PATH}/zorbulator")).json()["status"] == "DEPRECATED"
    await accepted(send, decide, **again)
    assert len((await ask(f"{PATH}/versions")).json()["items"]) == 4


async def test_what_was_accepted_since_may_stand_in_the_way(
    world: World, ask: Ask, send: Ask, decide: Ask
) -> None:
    first, second = await proposed(send), await proposed(send, concept_id="zorbulator-b")
    answers = await asyncio.gather(decide(first, "ACCEPTED"), decide(second, "ACCEPTED"))
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    (refused,) = [answer for answer in answers if answer.status_code == 422]
    assert {error["code"] for error in refused.json()["errors"]} == {"label_taken"}
    states = [row.status for row in await world.rows(tables.vocabulary_proposal)]
    assert sorted(states) == ["ACCEPTED", "PROPOSED"]
    assert len(await world.rows(tables.vocabulary_revision)) == 1


async def test_a_failed_acceptance_leaves_no_half_version(
    world: World, ask: Ask, send: Ask, decide: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await proposed(send)
    whole = vocabularies.append

    async def breaks(*args: Any) -> None:
        await whole(*args)
        raise RuntimeError("the connection is gone")

    with monkeypatch.context() as broken:
        broken.setattr(vocabularies, "append", breaks)
        with pytest.raises(RuntimeError, match="gone"):
            await decide(made, "ACCEPTED")
    assert await world.rows(tables.vocabulary_revision) == []
    assert (await ask(f"{PROPOSALS}/{made['id']}")).json() == made
    assert (await ask(f"{PATH}/zorbulator")).status_code == 404
    assert (await decide(made, "ACCEPTED")).json()["vocabulary_version"].endswith("+1")


async def test_a_repeated_request_proposes_once(world: World, send: Ask) -> None:
    key = {"Idempotency-Key": "k-1"}
    first, second = [await send(PROPOSALS, WORD, headers=key) for _ in range(2)]
    assert first.json() == second.json()
    other = await send(PROPOSALS, WORD | {"reason": "khác"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await world.rows(tables.vocabulary_proposal)) == 1


async def test_a_move_needs_the_version_and_a_reason(world: World, send: Ask) -> None:
    made = await proposed(send)
    path = f"{PROPOSALS}/{made['id']}/transitions"
    bare = await send(path, {"to": "ACCEPTED", "reason": "x"}, "operator")
    stale = await send(
        path, {"to": "ACCEPTED", "reason": "x"}, "operator", headers={"If-Match": '"7"'}
    )
    silent = await send(path, {"to": "REJECTED"}, "operator", headers={"If-Match": '"1"'})
    assert [bare.status_code, stale.status_code, silent.status_code] == [428, 412, 422]
    assert silent.json()["code"] == "reason_required"
    back = await send(path, {"to": "WITHDRAWN"}, headers={"If-Match": '"1"'})
    assert back.json()["status"] == "WITHDRAWN"


async def test_a_tenant_cannot_fill_the_desk(world: World, send: Ask) -> None:
    made = await proposed(send)
    (row,) = await world.rows(tables.vocabulary_proposal)
    copies = [row._asdict() | {"id": f"{n:032x}"} for n in range(1, MAX_OPEN)]
    async with world.transactions.aside() as work:
        await work.connection.execute(insert(tables.vocabulary_proposal), copies)
    refused = await send(PROPOSALS, WORD)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_proposals")
    assert (await send(PROPOSALS, WORD, "dost")).status_code == 201
    assert made["status"] == "PROPOSED"
