"""Amounts mean the same in every language, unit and notation, and no text breaks the reading."""

from dataclasses import replace
from math import inf, isfinite, isnan
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.demands import DemandProfile
from shared.contracts.matches import ReasonCode
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.contracts.values import Quantity
from svc_matching.engine.amounts import MAX_NUMBERS
from svc_matching.engine.concepts import concept_of, concept_words
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import DemandFacts, SupplyFacts, demand_facts, supply_facts
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.numbers import read_number
from svc_matching.engine.pairs import Pair
from svc_matching.engine.quantities import (
    MAX_READ,
    Range,
    closeness,
    fit,
    read_range,
    read_ranges,
    read_text,
)
from svc_matching.engine.units import MAX_UNIT, read_unit, spellings
from svc_matching.engine.views import pack, read_quantities, unpack, views_of
from svc_matching.engine.weights import COMPONENTS

DEMAND, SUPPLY = UUID(int=1), UUID(int=2)
QUANTITIES = COMPONENTS.index("quantities")


def stated(
    name: str, low: float | None, high: float | None, unit: str, *, must: bool = False
) -> Range:
    found = read_range(Quantity(name=name, min=low, max=high, unit=unit, must=must))
    assert found is not None
    return found


def alike(one: Range, other: Range) -> bool:
    """Whether two ranges are the same but for the last bits."""
    ends = (one.low, one.high), (other.low, other.high)
    return one.measure == other.measure and ends[0] == pytest.approx(ends[1], rel=1e-9)


TEXTS: list[tuple[str, str, tuple[str, float | None, float | None, str]]] = [
    ("vi", "Dây chuyền sấy chè công suất 500 kg/giờ", ("công suất", 500, 500, "kg/h")),
    ("vi", "công suất 12 tấn/ngày", ("capacity", 500, 500, "kg/h")),
    ("vi", "cong suat 12 tan/ngay", ("capacity", 500, 500, "kg/h")),
    ("vi", "12–15 tấn/ngày", ("capacity", 12, 15, "t/day")),
    ("vi", "năng suất từ 200 đến 500 kg/h", ("capacity", 200, 500, "kg/h")),
    ("vi", "năng suất từ 200 kg/h đến 0,5 tấn/h", ("capacity", 200, 500, "kg/h")),
    ("vi", "xử lý 500 kg chè tươi mỗi giờ", ("capacity", 500, 500, "kg/h")),
    ("vi", "công suất 500 kg chè tươi/giờ", ("capacity", 500, 500, "kg/h")),
    ("vi", "mỗi ngày chế biến 3 tạ", ("capacity", 300, 300, "kg/day")),
    ("vi", "công suất 1.500 kg/h", ("capacity", 1500, 1500, "kg/h")),
    ("vi", "công suất 1,6 tấn/h", ("capacity", 1600, 1600, "kg/h")),
    ("vi", "nước thải 5.000 m³/ngày đêm", ("capacity", 5000, 5000, "m3/day")),
    ("vi", "công suất 5 triệu lít/năm", ("capacity", 5000, 5000, "m3/year")),
    ("vi", "ba lò, 10 mẻ/ngày", ("capacity", 10, 10, "batch/day")),
    ("vi", "15–25 triệu viên/năm", ("capacity", 15e6, 25e6, "pcs/year")),
    ("vi", "Mỗi mẻ 80–200 kg dược liệu", ("capacity", 80, 200, "kg/batch")),
    ("vi", "Yêu cầu:\n-500 kg/h", ("capacity", 500, 500, "kg/h")),
    ("vi", "nhiệt độ −10 – −5 °C", ("temperature", -10, -5, "°C")),
    ("vi", "nhiệt độ kho −18 °C trở xuống", ("temperature", None, -18, "°C")),
    ("vi", "-16 - 12 kg/h", ("capacity", 12, 16, "kg/h")),
    ("vi", "độ ẩm cuối ≤ 5 %", ("moisture", None, 5, "%")),
    ("vi", "độ ẩm không quá 5%", ("moisture", None, 5, "%")),
    ("vi", "tiết kiệm điện tối thiểu 25 %", ("energy saving", 25, None, "%")),
    ("vi", "tiết kiệm 30 % điện năng", ("energy saving", 30, 30, "%")),
    ("vi", "độ tinh khiết không dưới 99,5 %", ("purity", 99.5, None, "%")),
    ("vi", "độ tinh khiết từ 98% trở lên", ("purity", 98, None, "%")),
    ("vi", "nhiệt độ từ −18 °C đến −5 °C", ("temperature", -18, -5, "°C")),
    ("vi", "vùng trồng có diện tích 25 ha", ("area", 250_000, 250_000, "m2")),
    ("vi", "diện tích 5 sào", ("area", 1800, 1800, "m2")),
    ("vi", "công suất điện 75 kW", ("power", 75, 75, "kW")),
    ("vi", "công suất 75 kW", ("power", 75, 75, "kW")),
    ("vi", "áp suất làm việc 0,8 MPa", ("pressure", 8, 8, "bar")),
    ("vi", "tiêu hao năng lượng dưới 35 kWh/tấn", ("energy consumption", None, 126_000, "J/kg")),
    ("en", "a capacity of 0.5 t/h", ("capacity", 500, 500, "kg/h")),
    ("en", "processes 1,500 kg per hour", ("capacity", 1500, 1500, "kg/h")),
    ("en", "line 5 and 8 tons per day", ("capacity", 8, 8, "t/day")),
    ("en", "model 5 8 tons per day", ("capacity", 8, 8, "t/day")),
    ("en", "between 5 and 8 tons per day", ("capacity", 5, 8, "t/day")),
    ("en", "at least 300 Nm³/h of biogas", ("capacity", 300, None, "Nm3/h")),
    ("en", "removal efficiency of 95 ± 2 %", ("efficiency", 93, 97, "%")),
    ("en", "temperature up to 140 °F", ("temperature", None, 60, "°C")),
    ("en", "drying temperature 40°C–60°C", ("temperature", 40, 60, "°C")),
    ("de", "Leistung 1.500,5 kg/h", ("Leistung", 1500.5, 1500.5, "kg/h")),
    ("de", "Durchsatz mindestens 2 Tonnen pro Stunde", ("capacity", 2000, None, "kg/h")),
    ("de", "Endfeuchte höchstens 5,5 Prozent", ("moisture", None, 5.5, "%")),
    ("de", "Auslegung ab 5.000 Tonnen im Jahr", ("capacity", 5000, None, "t/year")),
    ("de", "20 bis 60 Teile pro Minute", ("capacity", 20, 60, "pcs/min")),
    ("ko", "시간당 500kg 처리", ("처리능력", 500, 500, "kg/h")),
    ("ko", "처리능력 30톤/일 이상", ("capacity", 30, None, "t/day")),
    ("ko", "하루 500톤 규모", ("capacity", 500, 500, "t/day")),
    ("ko", "하루 500톤-600톤", ("capacity", 500, 600, "t/day")),
    ("ko", "수분 5% 이하", ("moisture", None, 5, "%")),
    ("ko", "에너지 30% 절감", ("energy saving", 30, 30, "%")),
    ("ja", "日産 30トン", ("処理能力", 30, 30, "t/day")),
    ("ja", "処理能力は３０トン/日", ("capacity", 30, 30, "t/day")),
    ("ja", "処理能力は一日110〜125トン", ("capacity", 110, 125, "t/day")),
    ("ja", "乾燥温度60~80℃", ("temperature", 60, 80, "°C")),
    ("ja", "温度は-20~-40℃", ("temperature", -40, -20, "°C")),
    ("ja", "水分5%以下", ("moisture", None, 5, "%")),
    ("zh", "年产10万吨", ("产能", 100_000, 100_000, "t/year")),
    ("zh", "产能不低于500吨/天", ("capacity", 500, None, "t/day")),
    ("zh", "每小时处理200至300立方米", ("capacity", 200, 300, "m3/h")),
]


@pytest.mark.parametrize(("language", "text", "expected"), TEXTS)
def test_text_says_the_same_as_a_field(
    language: str, text: str, expected: tuple[str, float | None, float | None, str]
) -> None:
    (found,) = read_text(text, language)
    assert alike(found, stated(*expected)), found
    assert found.read
    assert not found.must


@pytest.mark.parametrize(
    "text",
    [
        "3 công nghệ và 2 công ty, khách sạn 5 sao",
        "mạng 5G, 3D, CO2 và 5 M",
        "công suất 20 lít/100 km",
        "công suất 10^30 kg/h",
        "công suất 10⁶ m³/h",
        "công suất 1e400 kg/h",
        "công suất 1/0 kg",
        "công suất 5 kg^9999999",
        "Decision 18/2019, 30 % of the staff",
        "capacity 5 kg/h/sprocket",
        "at 40 °C in a tank of 30 l",
        "keeps dust under 100 mg per normal cubic metre",
        "電力は0.7 kWh/m³以下",
        "掺量可达75 %，按在线含水率修正",
        "công suất " + "9" * 8000 + " kg/h",
        "công suất 999999999999999999999999 tấn/giây",
    ],
)
def test_what_is_no_known_quantity_is_not_read(text: str) -> None:
    assert read_text(text, "vi") == ()


def test_a_number_belongs_to_the_nearest_name_that_its_unit_can_measure() -> None:
    text = "Sấy 500 kg/h ở nhiệt độ 60 °C, độ ẩm còn 5 %, còn 40 % nữa. Thu hồi 90 %, lãi 8 %."
    found = [(each.measure[0], each.stated) for each in read_text(text, "vi")]
    assert found == [
        ("capacity", "500 kg/h"),
        ("temperature", "60 °C"),
        ("moisture", "5 %"),
        ("recovery", "90 %"),
    ]


@pytest.mark.parametrize(
    ("written", "language", "size"),
    [
        ("1.500,5", "de", 1500.5),
        ("1,500.5", "vi", 1500.5),
        ("1,6", "vi", 1.6),
        ("1,6", "en", 1.6),
        ("1.500", "vi", 1500),
        ("1.500", "en", 1.5),
        ("1,500", "en", 1500),
        ("1,500", "ko", 1500),
        ("1,500", "de", 1.5),
        ("1,500", "vi", 1500),
        ("1,525", "vi", 1.525),
        ("0,500", "en", 0.5),
        ("0.125", "vi", 0.125),
        ("1.000.000", "vi", 1_000_000),
        ("1.000.000", "en", 1_000_000),
        ("12345.678", "vi", 12345.678),
        ("1.2.3", "vi", None),
        ("1,2,3.4.5", "en", None),
        ("1" * 25, "vi", None),
    ],
)
def test_points_and_commas_are_read_by_language(
    written: str, language: str, size: float | None
) -> None:
    assert read_number(written, language) == size


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tấn/ngày", "tonnes per day"),
        ("tấn/ngày", "トン/日"),
        ("tấn/ngày", "톤/일"),
        ("tấn/ngày", "吨/天"),
        ("nghìn tấn/năm", "kt/a"),
        ("m³/ngày đêm", "㎥/日"),
        ("lít/giờ", "l / h"),
        ("KW", "kW"),
        ("W/(m2·K)", "W/m2/K"),
        ("kg/cm2", "kgf/cm2"),
        ("cái/giờ", "pcs/h"),
        ("mẻ/ngày", "batches/day"),
        ("mpa", "MPa"),
    ],
)
def test_one_unit_in_two_spellings(one: str, other: str) -> None:
    left, right = read_unit(one), read_unit(other)
    assert left is not None
    assert right is not None
    assert left.dimension == right.dimension
    assert left.factor == pytest.approx(right.factor, rel=1e-12)


@pytest.mark.parametrize(
    "unit",
    [
        *("", " ", "/", "/h", "kg/", "boxfuls", "kg^9999999", "kg^-99", "1/0 kg", "10 kg", "dB"),
        *(
            "kdegC",
            "\x00kg",
            "kg" * 20,
            "kg/" + " " * MAX_UNIT + "h",
            "kg/h/m/s/K",
            "k\u0433",
            "__import__('os')",
            "2**9**9**9",
        ),
        "(" * 32,
        *("dB/m", "hbar3.hbar3.hbar3.hbar3"),
    ],
)
def test_a_unit_that_is_none_is_unknown(unit: str) -> None:
    assert read_unit(unit) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("pcs/h", "batch/h"), ("pcs/h", "Hz"), ("Nm3/h", "m3/h"), ("kg/h", "l/h"), ("kWh", "kW")],
)
def test_what_measures_something_else_is_not_compared(one: str, other: str) -> None:
    needs, haves = stated("capacity", 5, None, one), stated("capacity", 5, None, other)
    assert fit((needs,), (haves,)).compared == 0


def test_a_name_says_what_is_measured_and_then_of_what() -> None:
    assert concept_of("nhiệt độ bảo quản") == "temperature"
    assert concept_of("energy use per tonne") == "energy_use"
    assert concept_of("công suất chè tươi") == "capacity"


def test_a_capacity_in_kilowatts_is_a_power() -> None:
    need = stated("công suất", 75, None, "kW")
    assert fit((need,), (stated("installed power", 75, 75, "kW"),)).compared == 1
    assert fit((need,), (stated("energy consumption", 75, 75, "kW"),)).compared == 0


def test_how_near_degrees_are_is_not_judged_from_absolute_zero() -> None:
    need = stated("temperature", 60, None, "°C")
    assert closeness(need, stated("temperature", None, 45, "°C")) == pytest.approx(0.75)
    assert closeness(need, stated("temperature", None, 113, "°F")) == pytest.approx(0.75)


UNITS = {
    "mass rate": ["kg/h", "t/day", "tấn/năm", "tạ/giờ", "g/s", "lb/min", "yến/ngày", "斤/天"],
    "volume rate": ["m3/h", "l/min", "m3/ngày đêm", "ml/s", "gallon/day", "kl/년"],
    "temperature": ["°C", "°F", "K"],
    "area": ["m2", "ha", "sào", "công", "亩", "평", "km2", "acre"],
    "power": ["kW", "hp", "mã lực", "MW", "BTU/h", "kcal/h"],
    "pressure": ["bar", "MPa", "psi", "kg/cm2", "atm", "mbar"],
}


@settings(max_examples=200, deadline=None)
@given(
    pair=st.sampled_from(sorted(UNITS)).flatmap(
        lambda kind: st.tuples(st.sampled_from(UNITS[kind]), st.sampled_from(UNITS[kind]))
    ),
    size=st.floats(1, 1e6),
)
def test_equal_amounts_in_different_units_compare_equal(pair: tuple[str, str], size: float) -> None:
    one, other = read_unit(pair[0]), read_unit(pair[1])
    assert one is not None
    assert other is not None
    converted = (one.factor * size + one.offset - other.offset) / other.factor
    here = stated("capacity", size, size, pair[0], must=True)
    there = stated("capacity", converted, converted, pair[1], must=True)
    assert fit((here,), (there,)).missed == fit((there,), (here,)).missed == ()
    assert fit((here,), (there,)).value == fit((there,), (here,)).value == 1.0


PIECES = st.sampled_from(
    [
        *("công suất ", "capacity ", "≤ ", "từ ", " đến ", "-", "±", "1", "1.500,5", "9" * 40),
        *(
            "1e400",
            "kg",
            "/h",
            "/",
            "^",
            "³",
            "%",
            "°C",
            "tấn/ngày",
            "日産",
            "30トン",
            "시간당",
            "万",
        ),
        *(
            "\u0301",
            "\x00",
            "\u202e",
            "\n",
            ". ",
            ",",
            "😀",
            "ﬃ",
            "İ",
            " aaaa bbbb",
            "½",
            "٣",
            "１０",
        ),
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.text(max_size=400), st.lists(PIECES, max_size=80).map("".join)),
    language=st.sampled_from(["vi", "en", "ko", "ja", "zh", "de", "xx"]),
)
def test_any_text_gives_a_bounded_list_of_ordered_ranges(text: str, language: str) -> None:
    found = read_text(text, language)
    assert len(found) <= MAX_READ
    for each in found:
        assert not isnan(each.low)
        assert not isnan(each.high)
        assert each.low <= each.high
        assert each.low > -inf or each.high < inf
        assert len(each.stated) <= 64
    assert found == read_text(text, language)


@settings(max_examples=300, deadline=None)
@given(
    unit=st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join)),
    low=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_unit_and_size_gives_a_comparable_range_or_none(unit: str, low: float) -> None:
    known = read_unit(unit)
    assert known is None or (len(unit) <= MAX_UNIT and isfinite(known.factor) and known.factor)
    if known is None or known.base(low) is None:
        return
    need = Range(("x", known.dimension), known.base(low) or 0.0, inf, must=True, stated="")
    for other in (replace(need, low=-inf, high=0.0), replace(need, low=-1e30, high=1e30)):
        assert 0.0 <= closeness(need, other) <= 1.0


@pytest.mark.parametrize("size", [1e300, -1e300, 1.7e308])
def test_absurd_sizes_are_not_compared(size: float) -> None:
    assert read_range(Quantity(name="capacity", min=size, unit="t/s")) is None


def test_only_so_many_are_read_from_one_text() -> None:
    many = " ".join(f"công suất {number} kg/h." for number in range(1, MAX_NUMBERS))
    assert len(read_text(many, "vi")) == MAX_READ
    assert read_text("1 " * MAX_NUMBERS + "công suất 5 kg/h", "vi") == ()
    assert len(read_text("1 " * (MAX_NUMBERS - 1) + "công suất 5 kg/h", "vi")) == 1


def _facts(demand: dict[str, Any], supply: dict[str, Any]) -> tuple[DemandFacts, SupplyFacts]:
    wanted = DemandProfile(**{"title": "Tea dryer", "language": "en"} | demand)
    offered = SupplyProfile(**{"title": "Tea dryer", "language": "en"} | supply)
    return (
        demand_facts(wanted, views_of(wanted)),
        supply_facts(offered, SupplyStatus.PUBLISHED, views_of(offered)),
    )


def _meet(demand: dict[str, Any], supply: dict[str, Any]) -> tuple[Pair, float, bool]:
    """Score one pair and return it with its quantities component: value and whether known."""
    engine = Engine(year=2026)
    wants, offers = _facts(demand, supply)
    views = views_of(DemandProfile(title="Tea dryer", language="en"))
    engine.put_supply(SUPPLY, offers, views)
    engine.put_demand(DEMAND, wants, views)
    (pair,) = engine.score(DEMAND, [SUPPLY])
    assert pair.block is not None
    looks, place = pair.block.looks, pair.place
    return pair, float(looks.values[place, QUANTITIES]), bool(looks.known[place, QUANTITIES])


MUST = {"name": "công suất", "min": 200, "unit": "kg/giờ", "must": True}
SMALL = {"name": "capacity", "max": 40, "unit": "kg/h"}


def test_a_required_figure_that_a_field_misses_is_a_gate() -> None:
    pair, value, known = _meet({"requirements": [MUST]}, {"specifications": [SMALL]})
    assert reasons_of(pair.reasons) == (ReasonCode.SPEC_FAILS,)
    assert (value, known) == (pytest.approx(0.2), True)


@pytest.mark.parametrize(
    ("demand", "supply"),
    [
        ({"requirements": [MUST]}, {"description": "Its capacity is 40 kg/h."}),
        ({"description": "A capacity of at least 200 kg/h."}, {"specifications": [SMALL]}),
        ({"summary": "At least 200 kg/h is a must."}, {"title": "Tea dryer for 40 kg/h"}),
        ({"expected_outcome": "At least 200 kg/h"}, {"summary": "up to 40 kg/h"}),
    ],
)
def test_what_is_read_from_text_counts_but_never_gates(
    demand: dict[str, Any], supply: dict[str, Any]
) -> None:
    pair, value, known = _meet(demand, supply)
    assert reasons_of(pair.reasons) == ()
    assert pair.passes
    assert (value, known) == (pytest.approx(0.2), True)


def test_a_field_speaks_for_its_side_and_text_only_for_what_no_field_states() -> None:
    text = "Its capacity is 40 kg/h, the temperature 60 °C, with 3 m3/h of waste water."
    _, supply = _facts({}, {"specifications": [SMALL | {"max": 300}], "description": text})
    assert [(have.measure[0], have.read) for have in supply.haves] == [
        ("capacity", False),
        ("temperature", True),
    ]
    pair, value, _ = _meet(
        {"requirements": [MUST]},
        {"specifications": [SMALL | {"max": 300}], "description": text},
    )
    assert pair.passes
    assert value == 1.0


def test_the_technology_of_today_is_not_what_is_wanted() -> None:
    wants, _ = _facts({"current_technology": "An oven of 20 kg/h"}, {})
    assert wants.needs == ()


def test_stored_analyses_keep_what_was_read() -> None:
    text = "Công suất từ 200 đến 500 kg/giờ, độ ẩm không quá 5 %."
    profile = DemandProfile(
        title="Sấy chè", description=text, language="vi", translations={"en": {"title": "Drying"}}
    )
    views = views_of(profile)
    again = unpack(pack(views))
    assert read_quantities(again) == read_quantities(views) == read_text("Sấy chè\n" + text, "vi")
    assert len(read_quantities(again)) == 2
    assert [view.terms for view in again] == [view.terms for view in views]


def test_an_analysis_from_before_quantities_were_read_is_understood() -> None:
    (view,) = unpack(b"en 1 6 3 1\ntea\x06\x00")
    assert (view.terms, view.frequencies.tolist(), view.read) == (("tea",), [6], ())


def test_every_spelling_and_unit_of_the_data_files_is_known() -> None:
    for written in spellings()["spellings"].values():
        assert [each for each in written if read_unit(each) is None] == []
    for section in ("measured_in", "implied"):
        for concept, units in concept_words()[section].items():
            assert concept in concept_words()["names"]
            assert [unit for unit in units if read_unit(unit) is None] == []


def test_no_spelling_has_two_meanings() -> None:
    written = [each for names in spellings()["spellings"].values() for each in names]
    assert sorted(written) == sorted(set(written))
    known = set(written)
    for section in ("before_per", "after_per"):
        assert set(spellings()["reading"][section]) <= known


def test_structured_quantities_with_unknown_units_are_left_out() -> None:
    known = Quantity(name="capacity", min=5, unit="kg/h")
    unknown = Quantity(name="capacity", min=5, unit="boxfuls")
    assert read_ranges([unknown, known]) == (stated("capacity", 5, None, "kg/h"),)


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        (("dung tích", "lít"), ("용량", "L")),
        (("lưu lượng", "m3/giờ"), ("流量", "m³/h")),
        (("lưu lượng", "m3/giờ"), ("Förderstrom", "m³/h")),
        (("dung lượng lưu trữ", "kWh"), ("배터리 용량", "kWh")),
        (("năng suất", "tấn/ha"), ("yield", "t/ha")),
        (("khổ vải", "m"), ("working width", "mm")),
        (("tốc độ", "m/phút"), ("速度", "m/min")),
        (("tải trọng nâng", "tấn"), ("Traglast", "kg")),
        (("cường độ chịu nén", "MPa"), ("抗压强度", "MPa")),
        (("độ phân giải", "µm"), ("해상도", "µm")),
        (("đường kính ống", "mm"), ("直径", "cm")),
        (("tỷ lệ sống", "%"), ("成活率", "%")),
        (("thời gian bay", "phút"), ("flight time", "h")),
        (("điện áp", "V"), ("Spannung", "kV")),
        (("năng suất", "bao/giờ"), ("処理能力", "袋/h")),
        (("công suất", "quả/giờ"), ("throughput", "eggs/h")),
        (("năng suất", "tấn/ca"), ("capacity", "t/day")),
    ],
)
def test_a_quantity_is_compared_under_its_name_in_another_language(
    wanted: tuple[str, str], offered: tuple[str, str]
) -> None:
    """A required figure that an offer in another language does not reach must not pass."""
    need = read_range(Quantity(name=wanted[0], min=1e6, unit=wanted[1], must=True))
    have = read_range(Quantity(name=offered[0], max=1e-6, unit=offered[1]))
    assert need
    assert have
    assert need.measure == have.measure
    assert fit((need,), (have,)).missed


def test_what_only_sounds_alike_is_not_compared() -> None:
    for first, second in (
        (("chiều dài", "m"), ("độ dày", "m")),
        (("cường độ nén", "MPa"), ("áp suất", "MPa")),
        (("tải trọng", "kg"), ("trọng lượng", "kg")),
        (("thời gian sấy", "h"), ("thời gian bay", "h")),
        (("công suất", "lít"), ("công suất", "lít/giờ")),
        (("tỷ lệ thu hồi", "%"), ("yield", "t/ha")),
    ):
        sides = [read_range(Quantity(name=n, min=1, unit=u)) for n, u in (first, second)]
        assert len({side.measure for side in sides if side}) == 2, (first, second)
