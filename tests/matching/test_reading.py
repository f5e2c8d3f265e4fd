"""The API: who sees which matches, pages, cards, diagnoses, the state of the index."""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

OWNER = ("enterprise", "enterprise-1")
OFFICE = ("office", "office-kr")


async def told(world: World, **demand_fields: Any) -> tuple[Any, Any]:
    demand, supply = world.demand(**demand_fields), world.supply()
    await world.tell(supply, demand)
    return demand, supply


@pytest.mark.parametrize("part", ["matches", "diagnosis"])
async def test_a_demand_is_read_by_its_side_only(world: World, ask: Ask, part: str) -> None:
    demand, _ = await told(world)
    path = f"/v1/demands/{demand.aggregate_id}/{part}"
    assert (await ask(path, *OWNER)).status_code == 200
    assert (await ask(path, "dost", "dost-19", province="19")).status_code == 200
    assert (await ask(path)).status_code == 200
    forbidden = await ask(path, "enterprise", "enterprise-2")
    assert (forbidden.status_code, forbidden.json()["code"]) == (404, "not_found")
    assert (await ask(path, "dost", "dost-01", province="01")).status_code == 404
    assert (await ask(path, *OFFICE)).status_code == 404
    assert (await ask(path, "anonymous")).status_code == 401
    assert (await ask(path, "reader")).status_code == 403


@pytest.mark.parametrize("part", ["matches", "diagnosis"])
async def test_a_demand_never_heard_of_has_a_code_of_its_own(
    world: World, ask: Ask, part: str
) -> None:
    answer = await ask(f"/v1/demands/{uuid4()}/{part}", *OWNER)
    assert (answer.status_code, answer.json()["code"]) == (404, "demand_unknown")


async def test_a_supplys_owner_sees_the_demands_visible_to_it(world: World, ask: Ask) -> None:
    supply = world.supply()
    public, partners, private = (
        world.demand(visibility=visibility) for visibility in ("PUBLIC", "PARTNERS", "PRIVATE")
    )
    own = world.demand(visibility="PRIVATE", owner="office-kr")
    await world.tell(supply, public, partners, private, own)
    path = f"/v1/supplies/{supply.aggregate_id}/matches"
    seen = (await ask(path, *OFFICE)).json()["items"]
    assert {item["demand_id"] for item in seen} == {
        str(demand.aggregate_id) for demand in (public, partners, own)
    }
    assert all(item["demand"]["title"] and item["rank"] == 1 for item in seen)
    assert len((await ask(path)).json()["items"]) == 4
    assert (await ask(path, *OWNER)).status_code == 404
    hidden = next(
        i for i in (await ask(path)).json()["items"] if i["demand_id"] == str(private.aggregate_id)
    )
    assert (await ask(f"/v1/matches/{hidden['id']}", *OFFICE)).status_code == 404
    assert (await ask(f"/v1/matches/{hidden['id']}", *OWNER)).status_code == 200


async def test_a_match_nobody_has_is_not_found(world: World, ask: Ask) -> None:
    answer = await ask(f"/v1/matches/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_pages_follow_each_other_without_gap_or_overlap(world: World, ask: Ask) -> None:
    demand = world.demand()
    await world.tell(*(world.supply(trl=n % 9 + 1) for n in range(7)), demand)
    path = f"/v1/demands/{demand.aggregate_id}/matches"
    whole = [item["id"] for item in (await ask(path)).json()["items"]]
    found, cursor = [], None
    for size in (3, 3, 1):
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await ask(path, params=params)).json()
        assert len(page["items"]) == size
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == whole
    assert cursor is None


async def test_a_cursor_of_another_list_is_refused(world: World, ask: Ask) -> None:
    demand, other = world.demand(), world.demand()
    await world.tell(world.supply(), world.supply(), demand, other)
    page = (await ask(f"/v1/demands/{demand.aggregate_id}/matches", params={"limit": 1})).json()
    answer = await ask(
        f"/v1/demands/{other.aggregate_id}/matches", params={"cursor": page["next_cursor"]}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


async def test_a_full_match_shows_both_sides_and_all_numbers(world: World, ask: Ask) -> None:
    demand = world.demand(
        trl_min=6,
        budget={"max": 2_000_000_000, "currency": "VND"},
        absorption={"skills": 2},
        fields=["2.11"],
    )
    supply = world.supply(
        trl=8,
        price={"min": 1_500_000_000, "currency": "VND"},
        requires={"skills": 4},
        fields=["2.11"],
        translations={"en": {"title": "Heat pump tea dryer"}},
    )
    await world.tell(supply, demand)
    (item,) = (await ask(f"/v1/demands/{demand.aggregate_id}/matches", *OWNER)).json()["items"]
    match = (await ask(f"/v1/matches/{item['id']}", *OFFICE)).json()
    assert match["demand"]["province"] == "19"
    assert match["supply"]["price"]["min"] == 1_500_000_000
    assert len(match["components"]) == 18
    assert sum(c["weight"] for c in match["components"]) == pytest.approx(1, abs=1e-4)
    assert all(gate["passed"] for gate in match["gates"])
    assert match["engine"]["weights_version"]
    assert 0 < match["confidence"] < 1
    (gap,) = match["explanation"]["gaps"]
    assert (gap["code"], gap["by"]) == ("ABSORPTION_SHORT", 2)
    assert sum(c["share"] for c in match["explanation"]["matched"]) <= 1.0001
    assert "kỹ năng" not in match["explanation"]["text"]["vi"].split("Chưa có dữ liệu")[-1]


@pytest.mark.parametrize(
    ("supply", "expected", "remedy"),
    [
        (None, "NO_SUPPLY", "SEARCH_ORDER"),
        ({"title": "Robot hàn", "description": "Hàn kết cấu thép."}, "NO_SUPPLY", "SEARCH_ORDER"),
        ({"trl": 3}, "MISMATCH", "JOINT_DEVELOPMENT"),
        ({"price": {"min": 9 * 10**9, "currency": "VND"}}, "NO_RESOURCES", "HIGHER_BUDGET"),
        ({}, "MATCHED", None),
    ],
)
async def test_each_diagnosis_with_its_evidence_and_remedy(
    world: World, ask: Ask, supply: dict[str, Any] | None, expected: str, remedy: str | None
) -> None:
    demand = world.demand(trl_min=6, budget={"max": 10**9, "currency": "VND"})
    await world.tell(*([] if supply is None else [world.supply(**supply)]), demand)
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/diagnosis", *OWNER)).json()
    assert answer["diagnosis"] == expected
    assert answer["pending"] is False
    assert answer["demand_version"] == 1
    assert remedy is None or remedy in {found["kind"] for found in answer["remedies"]}
    assert all(found["for"] for found in answer["remedies"])
    assert bool(answer["near_misses"]) is (expected in ("MISMATCH", "NO_RESOURCES"))
    assert answer["text"]["vi"]
    assert answer["text"]["en"]


@pytest.mark.parametrize(
    ("wanted", "supply", "code", "remedy"),
    [
        ({"trl_min": 8}, {"trl": 5}, "TRL_LOW", "JOINT_DEVELOPMENT"),
        ({}, {"legal_list": "RESTRICTED"}, "LEGAL_RESTRICTED", "TRANSFER_PERMIT"),
        (
            {"transfer": {"right": "OWNERSHIP"}},
            {"transfer": {"right": "USE"}},
            "RIGHT_MISMATCH",
            "NEGOTIATE_TERMS",
        ),
        (
            {"transfer": {"exclusivity": "EXCLUSIVE"}},
            {"transfer": {"exclusivity": "NON_EXCLUSIVE"}},
            "EXCLUSIVITY_MISMATCH",
            "NEGOTIATE_TERMS",
        ),
        (
            {"transfer": {"scope": "WHOLE"}},
            {"transfer": {"scope": "PARTIAL"}},
            "SCOPE_MISMATCH",
            "PARTIAL_TRANSFER",
        ),
        (
            {"excluded_countries": ["CN", "KR"]},
            {"country": "KR"},
            "EXCLUDED_COUNTRY",
            "WIDER_COUNTRIES",
        ),
        (
            {"accepts_used_equipment": False},
            {"condition": "USED", "year_made": 2022},
            "USED_NOT_ACCEPTED",
            "ACCEPT_USED",
        ),
        (
            {"accepts_used_equipment": True},
            {"condition": "USED", "year_made": 2009},
            "USED_TOO_OLD",
            "NEWER_EQUIPMENT",
        ),
        (
            {"requirements": [{"name": "công suất", "min": 2, "unit": "tấn/giờ", "must": True}]},
            {"specifications": [{"name": "capacity", "max": 12, "unit": "t/day"}]},
            "SPEC_FAILS",
            "ADAPTATION",
        ),
        ({}, {"status": "EXPIRED"}, "EXPIRED", "ASK_RENEWAL"),
        ({}, {"status": "ON_HOLD"}, "ON_HOLD", "ASK_OWNER"),
        (
            {"budget": {"max": 900_000_000, "currency": "VND"}},
            {"price": {"min": 60_000, "max": 90_000, "currency": "EUR"}},
            "BUDGET_SHORT",
            "PARTIAL_TRANSFER",
        ),
        (
            {"absorption": {"skills": 2, "infrastructure": 3}},
            {"requires": {"skills": 4, "infrastructure": 3}},
            "ABSORPTION_SHORT",
            "TRAINING",
        ),
    ],
)
async def test_each_thing_in_the_way_comes_first_with_its_remedy(
    world: World, ask: Ask, wanted: dict[str, Any], supply: dict[str, Any], code: str, remedy: str
) -> None:
    demand = world.demand(**wanted)
    await world.tell(world.supply(**supply), demand)
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/diagnosis", *OWNER)).json()
    means = code in ("BUDGET_SHORT", "ABSORPTION_SHORT")
    assert answer["diagnosis"] == ("NO_RESOURCES" if means else "MISMATCH")
    assert [found["code"] for found in answer["near_misses"][0]["reasons"]] == [code]
    assert (answer["remedies"][0]["for"], answer["remedies"][0]["kind"]) == (code, remedy)


async def test_the_supply_that_the_diagnosis_rests_on_is_told_first(world: World, ask: Ask) -> None:
    """The other is worded as the demand is, so it is the more relevant of the two."""
    demand = world.demand(trl_min=8, budget={"max": 10**9, "currency": "VND"})
    text = json.loads(demand.data)
    wrong = world.supply(title=text["title"], description=text["description"], trl=3)
    costly = world.supply(trl=9, price={"min": 3 * 10**9, "currency": "VND"})
    await world.tell(wrong, costly, demand)
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/diagnosis", *OWNER)).json()
    assert answer["diagnosis"] == "NO_RESOURCES"
    first, second = answer["near_misses"]
    assert (first["supply_id"], second["supply_id"]) == (
        str(costly.aggregate_id),
        str(wrong.aggregate_id),
    )
    assert first["relevance"] < second["relevance"]
    assert {found["for"] for found in answer["remedies"]} == {"BUDGET_SHORT"}


async def test_a_demand_that_is_on_hold_has_no_diagnosis(world: World, ask: Ask) -> None:
    demand, _ = await told(world)
    await world.tell(world.later(demand, "ON_HOLD"))
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/diagnosis", *OWNER)).json()
    assert (answer["diagnosis"], answer["pending"]) == (None, False)


async def test_operations_see_the_state_of_the_index(world: World, ask: Ask) -> None:
    await told(world)
    await world.tell(world.supply("ON_HOLD"), world.demand("WITHDRAWN"))
    answer = await ask("/v1/matching/state", "ops")
    assert answer.json() == {
        "open_demands": 1,
        "live_supplies": 1,
        "index_epoch": 0,
        "pending": 0,
    }
    assert (await ask("/v1/matching/state", *OWNER)).status_code == 403
    assert (await ask("/v1/matching/state", "anonymous")).status_code == 401


async def test_the_service_is_ready_once_the_index_is_loaded(world: World, ask: Ask) -> None:
    assert (await ask("/readyz", "anonymous")).status_code == 200
