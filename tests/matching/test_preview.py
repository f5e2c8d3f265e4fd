"""The list that a demand would get, and nothing left behind."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from svc_matching.domain.preview import AT_ONCE
from svc_matching.storage import tables
from svc_matching.usecases import preview
from svc_matching.usecases.epochs import freeze_when_due, rank_pending

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/match-preview"
OF_A_STORED_DEMAND = {
    "id", "demand_id", "demand_version", "state", "demand", "created_at", "updated_at",
}  # fmt: skip
TEA = {
    "title": "Dây chuyền sấy chè tiết kiệm năng lượng",
    "description": "Cần lò sấy chè xanh bằng bơm nhiệt, điều khiển độ ẩm, giữ hương chè.",
    "language": "vi",
    "kind": "TRANSFER",
    "province": "19",
}
CHOOSY = TEA | {
    "summary": "Sấy chè 500 kg/giờ",
    "keywords": ["sấy chè", "bơm nhiệt"],
    "fields": ["2.11"],
    "industries": ["1079"],
    "ipc": ["A23F 3/06"],
    "trl_min": 7,
    "requirements": [{"name": "công suất", "min": 500, "unit": "kg/h", "must": True}],
    "budget": {"max": 1_000_000_000, "currency": "VND"},
    "absorption": {"skills": 2},
    "excluded_countries": ["JP"],
    "preferred_countries": ["KR"],
    "translations": {"en": {"title": "Tea drying line", "description": "Heat pump tea dryer."}},
}
FOREIGN = {
    "title": "Tunnel dryer for tea leaves",
    "description": "Ukausha wa chai unaotumia pampu ya joto, zzyzx.",
    "language": "sw",
    "excluded_countries": ["AQ"],
}


@pytest.fixture
def post(client: httpx.AsyncClient, authorization: Callable[..., dict[str, str]]) -> Ask:
    """Ask for a preview as somebody; as an enterprise by default."""

    async def ask(body: Any, role: str = "enterprise", **claims: Any) -> httpx.Response:
        headers = {} if role == "anonymous" else authorization(role, **claims)
        return await client.post(PATH, json=body, headers=headers)

    return ask


def supplies(world: World) -> list[Any]:
    """Every way a supply can stand to the demands above."""
    return [
        world.supply(),
        world.supply(trl=9, country="KR", fields=["2.11"], industries=["1079"]),
        world.supply(price={"min": 3_000_000_000, "currency": "VND"}),
        world.supply(requires={"skills": 5}, price={"max": 900_000_000, "currency": "VND"}),
        world.supply(legal_list="RESTRICTED"),
        world.supply(country="JP"),
        world.supply(trl=3),
        world.supply(specifications=[{"name": "công suất", "max": 100, "unit": "kg/h"}]),
        world.supply("EXPIRED"),
        world.supply("ON_HOLD"),
        world.supply(visibility="PARTNERS", title="Máy sấy chè thùng quay"),
        world.supply(visibility="PRIVATE", title="Lò sấy chè bí mật"),
        world.supply(title="Tea dryer", description="Heat pump for tea leaves.", language="en"),
        world.supply(title="Máy sấy lúa tháp", description="Tháp sấy lúa tuần hoàn, đốt trấu."),
    ]


async def frozen(world: World) -> None:
    """Weigh by the statistics of what is there, as a service that has run for a while does."""
    world.transactions.matcher.rules_changed = True
    assert await freeze_when_due(world.transactions)
    while world.transactions.matcher.has_pending:
        await rank_pending(world.transactions)


async def counts(world: World) -> dict[str, int]:
    """The relay's own row apart: it writes that when it has sent what came before."""
    async with world.transactions.read() as connection:
        return {
            name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.metadata.tables.items()
            if table is not tables.messaging.relay_state
        }


def engine_state(world: World) -> dict[str, Any]:
    """What the engine holds, by content."""
    engine = world.transactions.matcher.engine
    columns = engine.supplies.columns
    return {
        "demands": sorted(map(str, engine.demands.slots.ids())),
        "supplies": sorted(map(str, engine.supplies.slots.ids())),
        "terms": list(engine.lexicon.terms()),
        "found": engine.lexicon.find(engine.lexicon.terms()).tolist(),
        "pools": engine.lexicon.pools().tolist(),
        "measures": dict(columns.measures),
        "epoch": engine.statistics.epoch,
        "questions": {each: len(asked) for each, asked in engine.demands._questions.items()},
        "size": (engine.demands.slots.size, engine.supplies.slots.size),
        "doubted": set(world.transactions.matcher._doubted),
    }


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("demand", [TEA, CHOOSY, FOREIGN], ids=["tea", "choosy", "foreign"])
async def test_a_preview_is_the_list_that_the_demand_gets_when_it_is_published(
    world: World, ask: Ask, post: Ask, demand: dict[str, Any], is_frozen: bool
) -> None:
    other = world.demand()
    await world.tell(*supplies(world), other)
    if is_frozen:
        await frozen(world)
    before = await post({"demand": demand, "limit": 20})
    assert before.status_code == 200, before.text
    silent = dict.fromkeys(TEA.keys() - demand.keys())
    published = world.demand(**demand, **silent)
    await world.tell(published)
    path = f"/v1/demands/{published.aggregate_id}"
    listed = (await ask(f"{path}/matches")).json()["items"]
    diagnosis = (await ask(f"{path}/diagnosis")).json()
    seen = before.json()
    assert seen["stored"] is False
    assert len(seen["items"]) >= (1 if demand is FOREIGN else 3)
    assert seen["items"] == [
        {name: value for name, value in item.items() if name not in OF_A_STORED_DEMAND}
        for item in listed
    ]
    for name in ("diagnosis", "near_misses", "remedies", "text"):
        assert seen[name] == diagnosis[name], name
    assert (await post({"demand": demand, "limit": 20})).json() == seen


async def test_nothing_of_a_preview_stays(world: World, post: Ask) -> None:
    await world.tell(*supplies(world), world.demand())
    rows, held = await counts(world), engine_state(world)
    for number in range(70):  # more languages than the engine has bits for
        language = chr(97 + number // 26) + chr(97 + number % 26)
        text = f"qwrt{number} zxcv{number} tea dryer"
        strange = {"title": text, "language": language, "preferred_countries": ["AQ", "BV"]}
        answer = await post({"demand": strange})
        assert answer.status_code == 200
        assert (await post({"text": f"Sấy chè {text}", "language": "vi"})).json()["items"]
    assert await counts(world) == rows
    assert engine_state(world) == held


async def test_a_text_is_ranked_without_a_title(world: World, post: Ask) -> None:
    tea, rice = world.supply(), world.supply(title="Máy sấy lúa tháp", description="Đốt trấu.")
    await world.tell(tea, rice)
    answer = (await post({"text": "  Cần lò sấy chè bằng bơm nhiệt\n", "limit": 1})).json()
    (item,) = answer["items"]
    assert (item["supply_id"], item["rank"]) == (str(tea.aggregate_id), 1)
    assert item["supply"]["title"] == "Lò sấy chè bơm nhiệt"
    assert "sấy chè" in [each["demand_text"] for each in item["explanation"]["matched"]]
    assert sum(round(part["contribution"] * 1e6) for part in item["components"]) == round(
        item["score"] * 1e6
    )
    assert all(gate["passed"] for gate in item["gates"])
    assert answer["diagnosis"] == "MATCHED"
    assert OF_A_STORED_DEMAND.isdisjoint(item)


async def test_the_limit_is_ten_unless_told_and_at_most_twenty(world: World, post: Ask) -> None:
    await world.tell(*(world.supply(summary=f"Mẫu {number}") for number in range(25)))
    for said, found in (({}, 10), ({"limit": 3}, 3), ({"limit": 20}, 20)):
        items = (await post({"text": "lò sấy chè"} | said)).json()["items"]
        assert [item["rank"] for item in items] == list(range(1, found + 1))
    for limit in (0, 21, -1, "many"):
        assert (await post({"text": "lò sấy chè", "limit": limit})).status_code == 422


HOSTILE = {
    "one syllable": "chè " * 1999 + "chè",
    "one word": "a" * 8000,
    "no space at all": "sấychè" * 1333,
    "mixed scripts": "sấy chè tea 녹차 건조 茶叶 お茶 чай شاي " * 200,
    "controls": "sấy\x01\x02 chè\x7f\x85 \x1b[31mlò\x1b[0m",
    "directions": "\u202esấy chè\u202c \u200b\ufeff lò",
    "combining": "s" + "\u0301" * 4000,
    "astral": "\U0001f375" * 4000,
    "separators": "sấy\u2028chè\x1e\x1flò ~say =chè =a_b ~a_b",
    "formats": "{0} %s ${jndi:x} '; DROP TABLE item; -- \\u0000",
    "stop words": "và của cho các những",
    "no words": "!!! ... 123 456 ???",
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_any_text_has_a_defined_result(world: World, post: Ask, name: str) -> None:
    await world.tell(*supplies(world))
    held = engine_state(world)
    for language in (None, "vi", "en", "de", "ko", "zz"):
        answer = await post({"text": HOSTILE[name], "language": language})
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert said["diagnosis"] in ("MATCHED", "NO_SUPPLY", "MISMATCH", "NO_RESOURCES")
        assert [item["rank"] for item in said["items"]] == list(range(1, len(said["items"]) + 1))
        if name in ("no words", "astral"):
            assert (said["items"], said["diagnosis"]) == ([], "NO_SUPPLY")
    assert engine_state(world) == held


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "", "preview_source"),
        ({"text": "sấy chè", "demand": TEA}, "", "preview_source"),
        ({"demand": TEA, "language": "vi"}, "", "preview_language"),
        ({"text": ""}, "/text", "string_too_short"),
        ({"text": " \n\t\u00a0"}, "/text", "string_too_short"),
        ({"text": "\x01\x02"}, "/text", "string_too_short"),
        ({"text": "a" * 8001}, "/text", "string_too_long"),
        ({"text": "sấy\x00chè"}, "/text", "value_error"),
        ({"text": 5}, "/text", "string_type"),
        ({"text": "sấy chè", "language": "Việt"}, "/language", "string_pattern_mismatch"),
        ({"text": "sấy chè", "stored": True}, "/stored", "extra_forbidden"),
        ({"demand": {"description": "không có tên"}}, "/demand/title", "missing"),
        ({"demand": TEA | {"status": "PUBLISHED"}}, "/demand/status", "extra_forbidden"),
        ({"demand": TEA | {"budget": {"max": -1, "currency": "VND"}}}, "/demand/budget/max",
         "greater_than_equal"),
    ],
)  # fmt: skip
async def test_what_cannot_be_ranked_is_refused_in_both_languages(
    client: httpx.AsyncClient,
    authorization: Callable[..., dict[str, str]],
    body: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    said = {}
    for language in ("vi", "en"):
        headers = authorization("enterprise") | {"Accept-Language": language}
        answer = await client.post(PATH, json=body, headers=headers)
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        (error,) = answer.json()["errors"]
        assert (error["pointer"], error["code"]) == (pointer, code)
        said[language] = error["message"]
    assert said["vi"] != said["en"]


CANARY = "kanari"


async def test_hidden_supplies_say_nothing_to_anybody(world: World, post: Ask) -> None:
    """Not by a place, a near miss, a word, or by what is said when a hidden word is guessed."""
    hidden = [
        world.supply(status, visibility=visibility, owner="enterprise", title=f"Lò {CANARY}")
        for status, visibility in (
            ("PUBLISHED", "PRIVATE"), ("ON_HOLD", "PRIVATE"), ("EXPIRED", "PRIVATE"),
            ("DRAFT", "PUBLIC"), ("SUBMITTED", "PUBLIC"), ("UNDER_VALIDATION", "PUBLIC"),
            ("RETURNED", "PUBLIC"), ("REJECTED", "PUBLIC"), ("WITHDRAWN", "PUBLIC"),
            ("FLAGGED", "PUBLIC"), ("ARCHIVED", "PUBLIC"), ("TRANSFERRED_EXCLUSIVELY", "PUBLIC"),
        )
    ]  # fmt: skip
    missed = world.supply("ON_HOLD", title=f"Lò {CANARY}", owner="enterprise")
    shown = world.supply(visibility="PARTNERS")
    await world.tell(*hidden, missed, shown)
    for role in ("operator", "dost", "office", "enterprise", "provider", "exchange"):
        for text in ("lò sấy chè bơm nhiệt", f"lò {CANARY}"):
            answer = await post({"text": text}, role, province="19")
            said = answer.json()
            assert answer.status_code == 200
            assert CANARY not in answer.text.replace(text, ""), role
            assert not any(str(each.aggregate_id) in answer.text for each in hidden), role
            assert {item["supply_id"] for item in said["items"]} <= {str(shown.aggregate_id)}
            misses = [miss["supply_id"] for miss in said["near_misses"]]
            assert misses in ([], [str(missed.aggregate_id)])
    said = (await post({"text": "lò sấy chè bơm nhiệt"})).json()
    assert [item["supply_id"] for item in said["items"]] == [str(shown.aggregate_id)]
    assert [miss["supply_id"] for miss in said["near_misses"]] == [str(missed.aggregate_id)]


async def test_a_supply_that_is_hidden_now_is_gone_from_previews(world: World, post: Ask) -> None:
    supply = world.supply()
    await world.tell(supply)
    assert (await post({"text": "lò sấy chè"})).json()["items"]
    await world.tell(world.later(supply, visibility="PRIVATE", title=f"Lò {CANARY}"))
    said = await post({"text": "lò sấy chè"})
    assert (said.json()["items"], said.json()["near_misses"]) == ([], [])


async def test_an_index_in_doubt_is_read_anew_before_a_preview(world: World, post: Ask) -> None:
    """A transaction that failed has left its supply in the index; the tables never had it."""
    await world.tell(world.supply())
    matcher = world.transactions.matcher
    supply = world.supply(title=f"Lò sấy chè {CANARY}")
    facts = matcher.engine.supplies.columns.facts[0]
    async with matcher.lock:
        matcher.doubt([supply.aggregate_id])
        await matcher.run(matcher.engine.put_supply, supply.aggregate_id, facts, ())
    said = (await post({"text": "lò sấy chè"})).json()
    assert len(said["items"]) == 1
    assert supply.aggregate_id not in matcher.engine.supplies.slots


@pytest.mark.parametrize(
    ("role", "claims", "status", "code"),
    [
        ("anonymous", {}, 401, "token_required"),
        ("reader", {}, 403, "scope_missing"),
        ("reporter", {}, 403, "scope_missing"),
        ("ops", {}, 403, "scope_missing"),
        ("enterprise", {"scope": "demands:write"}, 403, "scope_missing"),
        ("reader", {"scope": "matches:read"}, 403, "role_missing"),
        ("intermediary", {}, 200, None),
    ],
)
async def test_previews_are_for_partners_with_the_scope(
    world: World, post: Ask, role: str, claims: dict[str, Any], status: int, code: str | None
) -> None:
    await world.tell(world.supply(visibility="PARTNERS", title=f"Lò sấy chè {CANARY}"))
    answer = await post({"text": "lò sấy chè"}, role, **claims)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert (CANARY in answer.text) is (status == 200)


@asynccontextmanager
async def waiting(world: World, post: Ask, number: int) -> AsyncIterator[list[Any]]:
    """So many previews that wait for their turn behind a transaction."""
    matcher = world.transactions.matcher
    async with matcher.lock:
        free = matcher.previews._value
        tasks = [asyncio.create_task(post({"text": "lò sấy chè"})) for _ in range(number)]
        while matcher.previews._value > free - number:
            await asyncio.sleep(0)
        yield tasks


async def test_more_than_a_few_at_a_time_are_told_to_come_again(world: World, post: Ask) -> None:
    await world.tell(world.supply())
    async with waiting(world, post, AT_ONCE) as tasks:
        refused = await post({"text": "lò sấy chè"})
    assert (refused.status_code, refused.json()["code"]) == (503, "preview_busy")
    assert refused.headers["retry-after"] == "1"
    assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}
    assert (await post({"text": "lò sấy chè"})).status_code == 200


async def test_a_preview_waits_only_so_long(
    world: World, post: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(world.supply())
    monkeypatch.setattr(preview, "SECONDS", 0.05)
    async with world.transactions.matcher.lock:
        answers = await asyncio.gather(*(post({"text": "lò sấy chè"}) for _ in range(2)))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "preview_timeout")
        assert answer.headers["retry-after"] == "1"
    monkeypatch.undo()
    assert (await post({"text": "lò sấy chè"})).status_code == 200
    assert world.transactions.matcher.previews._value == AT_ONCE


async def test_without_an_index_there_is_no_preview(world: World, post: Ask) -> None:
    world.transactions.matcher.loaded = False
    try:
        answer = await post({"text": "lò sấy chè"})
    finally:
        world.transactions.matcher.loaded = True
    assert (answer.status_code, answer.json()["code"]) == (503, "index_loading")
    assert answer.headers["retry-after"] == "1"


async def test_the_work_is_done_beside_the_event_loop(
    world: World, post: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(world.supply())
    threads: dict[str, str] = {}

    def noting(name: str) -> Any:
        done = getattr(preview, name)

        def note(*args: Any) -> Any:
            threads[name] = threading.current_thread().name
            return done(*args)

        return note

    for name in ("views_of", "_rank", "_tell"):
        monkeypatch.setattr(preview, name, noting(name))
    assert (await post({"text": "lò sấy chè"})).status_code == 200
    assert threads["views_of"].startswith("matching-engine")
    assert threads["_rank"].startswith("matching-engine")
    assert threads["_tell"] != threading.current_thread().name
