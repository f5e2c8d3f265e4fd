"""Each gate and each shortage, alone: it takes the pair out, or shows the gap, with figures."""

from typing import Any
from uuid import UUID

import pytest

from shared.contracts.demands import DemandProfile
from shared.contracts.matches import Reason, ReasonCode
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.contracts.values import Money, Quantity
from svc_matching.engine.codes import field_nearness, industry_nearness, ipc_nearness
from svc_matching.engine.concepts import concept_of
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.gates import BIT, reasons_of
from svc_matching.engine.pairs import Pair
from svc_matching.engine.quantities import fit, read_range, read_ranges
from svc_matching.engine.reasons import reasons_between
from svc_matching.engine.views import views_of

DEMAND, SUPPLY = UUID(int=1), UUID(int=2)
PUBLISHED = SupplyStatus.PUBLISHED


def meet(
    demand: dict[str, Any], supply: dict[str, Any], status: SupplyStatus = PUBLISHED
) -> tuple[Engine, Pair]:
    """Score one pair about tea dryers."""
    engine = Engine(year=2026)
    wanted = DemandProfile(**{"title": "Tea dryer", "language": "en"} | demand)
    offered = SupplyProfile(**{"title": "Tea dryer", "language": "en"} | supply)
    offer, want = views_of(offered), views_of(wanted)
    engine.put_supply(SUPPLY, supply_facts(offered, status, offer), offer)
    engine.put_demand(DEMAND, demand_facts(wanted, want), want)
    (pair,) = engine.score(DEMAND, [SUPPLY])
    return engine, pair


def reason_of(demand: dict[str, Any], supply: dict[str, Any], pair: Pair) -> Reason:
    """Say in figures what the one thing in the way of a pair is."""
    wanted = DemandProfile(**{"title": "Tea dryer"} | demand)
    offered = SupplyProfile(**{"title": "Tea dryer"} | supply)
    (reason,) = reasons_between(pair.reasons, wanted, offered, PUBLISHED, unchanged=True)
    return reason


def capacity(low: float | None, high: float | None = None, unit: str = "kg/h") -> dict[str, Any]:
    return {"name": "capacity", "min": low, "max": high, "unit": unit, "must": True}


GATES: list[tuple[ReasonCode, dict[str, Any], dict[str, Any]]] = [
    (ReasonCode.LEGAL_RESTRICTED, {}, {"legal_list": "RESTRICTED"}),
    (ReasonCode.EXCLUDED_COUNTRY, {"excluded_countries": ["KR"]}, {"country": "KR"}),
    (ReasonCode.USED_NOT_ACCEPTED, {"accepts_used_equipment": False}, {"condition": "USED"}),
    (
        ReasonCode.USED_TOO_OLD,
        {"accepts_used_equipment": True},
        {"condition": "USED", "year_made": 2015},
    ),
    (ReasonCode.TRL_LOW, {"trl_min": 7}, {"trl": 6}),
    (
        ReasonCode.RIGHT_MISMATCH,
        {"transfer": {"right": "OWNERSHIP"}},
        {"transfer": {"right": "USE"}},
    ),
    (
        ReasonCode.EXCLUSIVITY_MISMATCH,
        {"transfer": {"exclusivity": "EXCLUSIVE"}},
        {"transfer": {"exclusivity": "NON_EXCLUSIVE"}},
    ),
    (
        ReasonCode.SCOPE_MISMATCH,
        {"transfer": {"scope": "WHOLE"}},
        {"transfer": {"scope": "PARTIAL"}},
    ),
    (
        ReasonCode.SPEC_FAILS,
        {"requirements": [capacity(200)]},
        {"specifications": [capacity(20, 40)]},
    ),
]


@pytest.mark.parametrize(("code", "demand", "supply"), GATES)
def test_a_failed_gate_takes_the_pair_out_and_says_why(
    code: ReasonCode, demand: dict[str, Any], supply: dict[str, Any]
) -> None:
    engine, pair = meet(demand, supply)
    assert reasons_of(pair.reasons) == (code,)
    assert not pair.passes
    ranking = engine.rank(DEMAND)
    assert ranking.listed == ()
    assert [missed.supply_id for missed in ranking.missed] == [SUPPLY]
    reason = reason_of(demand, supply, pair)
    assert reason.code is code
    assert reason.have


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (SupplyStatus.EXPIRED, ReasonCode.EXPIRED),
        (SupplyStatus.ON_HOLD, ReasonCode.ON_HOLD),
    ],
)
def test_a_supply_that_is_not_live_is_a_near_miss(status: SupplyStatus, code: ReasonCode) -> None:
    engine, pair = meet({}, {}, status)
    assert reasons_of(pair.reasons) == (code,)
    assert engine.rank(DEMAND).listed == ()


@pytest.mark.parametrize(
    ("demand", "supply"),
    [
        ({"transfer": {"right": "USE"}}, {"transfer": {"right": "OWNERSHIP"}}),
        ({"transfer": {"scope": "EITHER"}}, {"transfer": {"scope": "PARTIAL"}}),
        ({"transfer": {"scope": "WHOLE"}}, {"transfer": {"scope": "EITHER"}}),
        ({"transfer": {"exclusivity": "EXCLUSIVE"}}, {}),
        ({"trl_min": 7}, {}),
        ({}, {"condition": "USED", "year_made": 2016}),
        ({"requirements": [capacity(200)]}, {"specifications": [capacity(1, unit="furlong")]}),
        ({"requirements": [capacity(200)]}, {"specifications": [capacity(5, 9, "t/day")]}),
        ({"requirements": [capacity(200) | {"must": False}]}, {"specifications": [capacity(1, 2)]}),
        ({"budget": {"min": 1, "currency": "VND"}}, {"price": {"min": 10**9, "currency": "VND"}}),
        ({"budget": {"max": 1, "currency": "VND"}}, {"price": {"min": 5, "currency": "ZAR"}}),
        ({"absorption": {"skills": 1}}, {"requires": {"workforce": 5}}),
    ],
)
def test_silence_and_matching_terms_fail_nothing(
    demand: dict[str, Any], supply: dict[str, Any]
) -> None:
    _, pair = meet(demand, supply)
    assert reasons_of(pair.reasons) == ()


def test_a_price_above_the_budget_blocks_but_stays_listed() -> None:
    demand = {"budget": {"max": 1_000_000_000, "currency": "VND"}}
    supply = {"price": {"min": 100_000, "currency": "USD"}}
    engine, pair = meet(demand, supply)
    assert pair.passes
    assert pair.blocked
    assert [p.supply_id for p in engine.rank(DEMAND).listed] == [SUPPLY]
    assert engine.rank(DEMAND).witness is None
    reason = reason_of(demand, supply, pair)
    assert reason.have == "1,000,000,000 VND"
    assert reason.need == "100,000 USD"
    assert reason.by == pytest.approx(100_000 * 26_100 - 1_000_000_000)


def test_the_upper_price_counts_when_the_lower_is_missing() -> None:
    _, pair = meet(
        {"budget": {"max": 10, "currency": "VND"}}, {"price": {"max": 11, "currency": "VND"}}
    )
    assert reasons_of(pair.reasons) == (ReasonCode.BUDGET_SHORT,)


def test_a_level_below_what_is_required_blocks() -> None:
    demand = {"absorption": {"skills": 2, "workforce": 4}}
    supply = {"requires": {"skills": 4, "workforce": 4}}
    _, pair = meet(demand, supply)
    assert reasons_of(pair.reasons) == (ReasonCode.ABSORPTION_SHORT,)
    reason = reason_of(demand, supply, pair)
    assert (reason.have, reason.need, reason.by) == ("skills 2", "skills 4", 2.0)


def _quantity(name: str, low: float | None, high: float | None, unit: str) -> Quantity:
    return Quantity(name=name, min=low, max=high, unit=unit)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("công suất", 1000, None, "kg/giờ"), ("capacity", None, 1, "tấn/giờ")),
        (("Công suất chè tươi", 200, 500, "kg/h"), ("生葉処理能力", 300, 480, "KG / H")),
        (("độ ẩm", None, 5, "%"), ("수분", 3, 5, "%")),
        (("nhiệt độ", 40, 60, "°C"), ("temperature", 55, 80, "℃")),
        (("lưu lượng", 24, None, "m³/ngày"), ("flow", 1, None, "m3/h")),
    ],
)
def test_quantities_meet_across_names_units_and_languages(one: Any, other: Any) -> None:
    needs, haves = read_ranges([_quantity(*one)]), read_ranges([_quantity(*other)])
    found = fit(needs, haves)
    assert (found.compared, found.value) == (1, 1.0)


def test_different_dimensions_and_unknown_units_are_not_compared() -> None:
    needs = read_ranges([_quantity("capacity", 5, None, "kW")])
    haves = read_ranges([_quantity("capacity", 1, None, "kg/h")])
    assert fit(needs, haves).compared == 0
    assert read_range(_quantity("capacity", 5, None, "boxfuls")) is None


def test_the_longest_concept_in_a_name_decides() -> None:
    assert concept_of("hiệu suất thu hồi cồn") == "recovery"
    assert concept_of("Màu sắc") == "mau sac"


@pytest.mark.parametrize(
    ("nearness", "one", "other", "expected"),
    [
        (field_nearness, "2.11", "2.11", 1.0),
        (field_nearness, "2", "2.11", 0.6),
        (field_nearness, "2.3", "2.11", 0.3),
        (field_nearness, "1.3", "2.11", 0.0),
        (industry_nearness, "1079", "1071", 0.7),
        (industry_nearness, "1079", "1030", 0.4),
        (industry_nearness, "1079", "2825", 0.0),
        (ipc_nearness, "A23F 3/06", "A23F 3/08", 0.9),
        (ipc_nearness, "A23F 3/06", "A23F", 0.75),
        (ipc_nearness, "A23F", "A23L", 0.3),
        (ipc_nearness, "A23F", "A61K", 0.05),
        (ipc_nearness, "A23F", "F26B", 0.0),
    ],
)
def test_codes_are_near_by_their_shared_levels(
    nearness: Any, one: str, other: str, expected: float
) -> None:
    assert nearness(one, other) == nearness(other, one) == expected


def test_a_side_that_has_changed_takes_the_figures_away_but_not_the_reason() -> None:
    wanted = DemandProfile(title="Tea dryer", budget=Money(max=10, currency="VND"))
    offered = SupplyProfile(title="Tea dryer", price=Money(min=5, currency="VND"))
    mask = BIT[ReasonCode.BUDGET_SHORT]
    (reason,) = reasons_between(mask, wanted, offered, PUBLISHED, unchanged=False)
    assert reason == Reason(code=ReasonCode.BUDGET_SHORT)
