"""What the dashboard counts: the same as a recount by hand, in any cut."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.demands import DemandStatus
from shared.contracts.matches import DiagnosisCode
from shared.contracts.places import PROVINCES
from shared.contracts.supplies import SupplyKind, SupplyStatus

PUBLISHED_ONCE = {"PUBLISHED", "ON_HOLD", "FULFILLED", "EXPIRED"}
OFFERED_ONCE = {"PUBLISHED", "ON_HOLD", "FLAGGED", "EXPIRED", "TRANSFERRED_EXCLUSIVELY"}


def _month(utc: str) -> str:
    """The month by hand, with nothing of what is tested: UTC plus seven hours."""
    return f"{datetime.fromisoformat(utc) + timedelta(hours=7):%Y-%m}"


def _pairs(entries: Iterable[dict[str, Any]], key: str) -> dict[Any, int]:
    return {entry[key]: entry["count"] for entry in entries}


def _moment(chance: random.Random) -> str:
    start = datetime(2025, 11, 1, tzinfo=UTC)
    return (start + timedelta(minutes=chance.randrange(300 * 24 * 60))).isoformat()


async def test_every_total_is_a_recount(world: Any, ask: Any) -> None:
    chance = random.Random(20260701)
    provinces, fields = [*list(PROVINCES)[:8], None], ["1", "1.2", "2", "2.1", "2.11", "4.1"]
    demands: list[dict[str, Any]] = [
        {
            "status": str(chance.choice(list(DemandStatus)[1:])),
            "province": chance.choice(provinces),
            "fields": chance.choices(fields, k=chance.randrange(4)),
            "updated_at": _moment(chance),
        }
        for _ in range(80)
    ]
    supplies: list[dict[str, Any]] = [
        {
            "status": str(chance.choice(list(SupplyStatus)[1:])),
            "country": chance.choice(["KR", "JP", "VN", None]),
            "kind": chance.choice([*map(str, SupplyKind), None]),
            "fields": chance.choices(fields, k=chance.randrange(3)),
            "updated_at": _moment(chance),
        }
        for _ in range(60)
    ]
    told = [world.demand(**demand) for demand in demands]
    offered = [world.supply(**supply) for supply in supplies]
    lists: dict[int, tuple[list[int], str]] = {}
    diagnoses: dict[int, str] = {}
    for number in chance.sample(range(80), 60):
        lists[number] = (chance.sample(range(60), chance.randrange(6)), _moment(chance))
        diagnoses[number] = str(chance.choice(list(DiagnosisCode)))
    await world.tell(
        *told,
        *offered,
        *(
            world.ranking(told[number], [offered[i] for i in chosen], updated_at=when)
            for number, (chosen, when) in lists.items()
        ),
        *(world.diagnosis(told[number], code) for number, code in diagnoses.items()),
    )

    published = [i for i, d in enumerate(demands) if d["status"] in PUBLISHED_ONCE]
    on_offer = [s for s in supplies if s["status"] in OFFERED_ONCE]
    open_now = [i for i in published if demands[i]["status"] == "PUBLISHED"]
    placed = [
        (demands[i], supplies[s], lists[i][1]) for i in published if i in lists for s in lists[i][0]
    ]
    found = await ask()
    assert found["funnel"] == {
        "demands_received": 80,
        "demands_published": len(published),
        "demands_with_matches": sum(bool(lists.get(i, ([],))[0]) for i in published),
        "demands_matched": sum(diagnoses.get(i) == "MATCHED" for i in published),
        "demands_fulfilled": sum(demands[i]["status"] == "FULFILLED" for i in published),
        "supplies_published": len(on_offer),
        "matches": len(placed),
    }
    assert found["pipeline"]["received"] == 80
    assert _pairs(found["pipeline"]["by_status"], "status") == Counter(d["status"] for d in demands)
    cut = [demands[i] for i in published]
    assert _pairs(found["demands"]["by_province"], "code") == Counter(d["province"] for d in cut)
    assert _pairs(found["demands"]["by_status"], "status") == Counter(d["status"] for d in cut)
    assert _pairs(found["demands"]["by_month"], "month") == Counter(
        _month(d["updated_at"]) for d in cut
    )
    assert _pairs(found["demands"]["by_field"], "field") == Counter(
        field for d in cut for field in set(d["fields"]) or {None}
    )
    assert _pairs(found["supplies"]["by_country"], "country") == Counter(
        s["country"] for s in on_offer
    )
    assert _pairs(found["supplies"]["by_kind"], "kind") == Counter(s["kind"] for s in on_offer)
    assert _pairs(found["supplies"]["by_status"], "status") == Counter(
        s["status"] for s in on_offer
    )
    assert _pairs(found["supplies"]["by_month"], "month") == Counter(
        _month(s["updated_at"]) for s in on_offer
    )
    assert _pairs(found["supplies"]["by_field"], "field") == Counter(
        field for s in on_offer for field in set(s["fields"]) or {None}
    )
    assert _pairs(found["matches"]["by_province"], "code") == Counter(
        d["province"] for d, _, _ in placed
    )
    assert _pairs(found["matches"]["by_country"], "country") == Counter(
        s["country"] for _, s, _ in placed
    )
    assert _pairs(found["matches"]["by_month"], "month") == Counter(
        _month(when) for _, _, when in placed
    )
    open_diagnoses = Counter(diagnoses[i] for i in open_now if i in diagnoses)
    assert _pairs(found["diagnoses"]["by_code"], "diagnosis") == open_diagnoses
    assert found["diagnoses"]["pending"] == len(open_now) - open_diagnoses.total()
    assert {
        (entry["code"], one["diagnosis"]): one["count"]
        for entry in found["diagnoses"]["by_province"]
        for one in entry["diagnoses"]
    } == Counter((demands[i]["province"], diagnoses[i]) for i in open_now if i in diagnoses)
    assert found["coverage"] == {
        "published": len(open_now),
        "matched": open_diagnoses["MATCHED"],
        "share": pytest.approx(open_diagnoses["MATCHED"] / len(open_now), abs=1e-4),
    }

    for field in ("2", "2.1", "4"):

        def within(thing: dict[str, Any], wanted: str = field) -> bool:
            return any(f == wanted or f.startswith(wanted + ".") for f in thing["fields"])

        narrowed = (await ask(params={"field": field}))["funnel"]
        assert narrowed["demands_received"] == sum(map(within, demands))
        assert narrowed["demands_published"] == sum(map(within, cut))
        assert narrowed["supplies_published"] == sum(map(within, on_offer))
        assert narrowed["matches"] == sum(within(d) for d, _, _ in placed)
    for country in ("KR", "VN", "US"):
        narrowed = (await ask(params={"country": country}))["funnel"]
        assert narrowed["demands_published"] == len(published)
        assert narrowed["supplies_published"] == sum(s["country"] == country for s in on_offer)
        assert narrowed["matches"] == sum(s["country"] == country for _, s, _ in placed)
    narrowed = (await ask(params={"month_from": "2026-02", "month_to": "2026-04"}))["funnel"]
    spring = ("2026-02", "2026-03", "2026-04")
    assert narrowed["demands_received"] == sum(_month(d["updated_at"]) in spring for d in demands)
    assert narrowed["demands_published"] == sum(_month(d["updated_at"]) in spring for d in cut)
    assert narrowed["supplies_published"] == sum(
        _month(s["updated_at"]) in spring for s in on_offer
    )
    assert narrowed["matches"] == sum(_month(d["updated_at"]) in spring for d, _, _ in placed)
    narrowed = (await ask(params={"year": 2025, "province": "08"}))["funnel"]
    assert narrowed["demands_published"] == sum(
        _month(d["updated_at"]) < "2026" and d["province"] in ("02", "08") for d in cut
    )


async def test_an_empty_dashboard_has_zeros_and_no_ratios(world: Any, ask: Any) -> None:
    found = await ask("anonymous")
    assert found["funnel"]["demands_published"] == found["funnel"]["matches"] == 0
    assert found["demands"]["by_month"] == found["supplies"]["by_country"] == []
    assert found["coverage"] == {"published": 0, "matched": 0, "share": None}
    assert found["response_times"]["to_first_list"] == {
        "demands": 0,
        "median_hours": None,
        "p90_hours": None,
    }


@pytest.mark.parametrize(
    ("utc", "month"),
    [
        ("2026-06-30T16:59:59.999Z", "2026-06"),
        ("2026-06-30T17:00:00.000Z", "2026-07"),
        ("2025-12-31T16:59:59.999Z", "2025-12"),
        ("2025-12-31T17:00:00.000Z", "2026-01"),
        ("2024-02-29T16:59:59.999Z", "2024-02"),
        ("2024-02-29T17:00:00.000Z", "2024-03"),
    ],
)
async def test_a_month_ends_at_midnight_in_vietnam(
    world: Any, ask: Any, utc: str, month: str
) -> None:
    demand, supply = world.demand(updated_at=utc), world.supply(updated_at=utc)
    await world.tell(demand, supply, world.ranking(demand, [supply], updated_at=utc))
    found = await ask(params={"month_from": month, "month_to": month})
    for part in ("demands", "supplies", "matches"):
        assert found[part]["by_month"] == [{"month": month, "count": 1}]
    assert found["funnel"]["demands_received"] == 1
    assert (await ask(params={"year": month[:4]}))["funnel"]["demands_published"] == 1
    other = await ask(params={"year": int(month[:4]) + 1})
    assert other["funnel"]["demands_published"] == other["funnel"]["demands_received"] == 0
    assert other["funnel"]["supplies_published"] == other["funnel"]["matches"] == 0


async def test_a_province_of_today_takes_its_parts_with_it(world: Any, ask: Any) -> None:
    await world.tell(
        world.demand(province="24"), world.demand(province="27"), world.demand(province="01")
    )
    today = (await ask(params={"province": "24"}))["demands"]["by_province"]
    bac_ninh = {"code": "24", "name": "Bắc Ninh"}
    assert today == [
        {"code": "24", "name": "Bắc Giang", "current": bac_ninh, "count": 1},
        {"code": "27", "name": "Bắc Ninh", "current": bac_ninh, "count": 1},
    ]
    assert (await ask(params={"province": "27"}))["demands"]["by_province"] == today


async def test_response_times_are_over_the_demands_that_have_their_list(
    world: Any, ask: Any
) -> None:
    supply = world.supply()
    demands = [world.demand(updated_at="2026-07-01T00:00:00Z") for _ in range(6)]
    lists = [
        world.ranking(demand, [supply], updated_at=f"2026-07-01T0{hours}:00:00Z")
        for hours, demand in enumerate(demands[:5], start=1)
    ]
    empty_at_first = world.ranking(demands[4], [], version=9, updated_at="2026-07-01T04:30:00Z")
    await world.tell(supply, *demands, *lists, empty_at_first)
    found = (await ask())["response_times"]
    assert found["to_first_match"] == {
        "demands": 5,
        "median_hours": 3.0,
        "p90_hours": pytest.approx(4.6),
    }
    assert found["to_first_list"] == {
        "demands": 5,
        "median_hours": 3.0,
        "p90_hours": pytest.approx(4.3),
    }


async def test_a_clock_that_is_behind_makes_no_negative_time(world: Any, ask: Any) -> None:
    demand = world.demand(updated_at="2026-07-01T00:00:00.050Z")
    await world.tell(demand, world.ranking(demand, [], updated_at="2026-07-01T00:00:00.000Z"))
    found = (await ask())["response_times"]["to_first_list"]
    assert found == {"demands": 1, "median_hours": 0.0, "p90_hours": 0.0}


async def test_a_match_whose_supply_is_unknown_yet_still_counts(world: Any, ask: Any) -> None:
    demand, supply = world.demand(province="92"), world.supply(country="KR")
    await world.tell(world.ranking(demand, [supply]))
    assert (await ask())["funnel"]["matches"] == 0
    await world.tell(demand)
    assert (await ask())["matches"]["by_country"] == [{"country": None, "count": 1}]
    await world.tell(supply)
    assert (await ask())["matches"]["by_country"] == [{"country": "KR", "count": 1}]


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"provinz": "19"}, "?provinz"),
        ({"province": "99"}, "?province"),
        ({"province": "Hà Nội"}, "?province"),
        ({"field": "7"}, "?field"),
        ({"field": "2.111"}, "?field"),
        ({"country": "kr"}, "?country"),
        ({"country": "XX"}, "?country"),
        ({"year": "1999"}, "?year"),
        ({"year": "26"}, "?year"),
        ({"year": "two"}, "?year"),
        ({"month_from": "2026-13"}, "?month_from"),
        ({"month_to": "2026-7"}, "?month_to"),
        ({"month_from": "2026-02", "month_to": "2026-01"}, "?"),
        ({"year": "2026", "month_to": "2026-01"}, "?"),
        ({"province": "1\x00"}, "?province"),
    ],
)
async def test_a_bad_parameter_is_a_400_that_names_it(
    world: Any, client: Any, params: dict[str, str], name: str
) -> None:
    answer = await client.get("/v1/reporting/dashboard", params=params)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_parameter"
    assert [error["pointer"] for error in problem["errors"]] == [name]
    assert all(error["message"] for error in problem["errors"])
