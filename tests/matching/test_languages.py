"""A need in Vietnamese finds supplies in other languages, and shows by what."""

from uuid import UUID

import pytest

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.matched import DemandText, SupplyText
from svc_matching.engine.translations import alternatives, units_in
from svc_matching.engine.views import views_of

DRYERS = {
    "en": "Energy-saving heat pump dryer for tea leaves",
    "ko": "찻잎용 열펌프 건조기, 에너지 절약형",
    "ja": "茶葉用ヒートポンプ乾燥機、省エネルギー型",
    "zh": "茶叶热泵烘干机，节能型",
    "de": "Energiesparender Wärmepumpentrockner für Tee, Trocknung von Teeblättern",
    "vi": "Máy sấy chè bơm nhiệt tiết kiệm năng lượng",
}
OTHERS = {
    "en": ("Welding robot for car bodies", "Membrane bioreactor for textile waste water"),
    "ko": ("자동차 차체 용접 로봇", "염색 폐수 처리용 분리막 생물반응기"),
    "ja": ("自動車車体用の溶接ロボット", "染色排水処理用の膜分離活性汚泥法"),
    "zh": ("汽车车身焊接机器人", "印染废水膜生物反应器"),
    "de": ("Schweißroboter für Karosserien", "Membranbioreaktor für Textilabwasser"),
    "vi": ("Robot hàn khung xe ô tô", "Bể sinh học màng xử lý nước thải dệt nhuộm"),
}
WANTED = UUID(int=0)


def languages_found(text: str) -> list[str]:
    """Return the languages of the dryers found, best first, and «other» for what is no dryer."""
    engine = Engine(year=2026)
    kinds: dict[UUID, str] = {}
    for language, title in DRYERS.items():
        for number, said in enumerate((title, *OTHERS[language])):
            supply_id = UUID(int=1 + len(kinds))
            kinds[supply_id] = language if number == 0 else "other"
            profile = SupplyProfile(title=said, description=f"{said}.", language=language)
            views = views_of(profile)
            facts = supply_facts(profile, SupplyStatus.PUBLISHED, views)
            engine.put_supply(supply_id, facts, views, weigh=False)
    engine.adopt(engine.freeze(1))
    profile = DemandProfile(title=text, description=text, language="vi")
    views = views_of(profile)
    engine.put_demand(WANTED, demand_facts(profile, views), views)
    return [kinds[pair.supply_id] for pair in engine.rank(WANTED).listed]


@pytest.mark.parametrize(
    "text",
    [
        "Cần máy sấy chè tiết kiệm năng lượng",
        "say che tiet kiem nang luong",
        "Sấy trà bằng bơm nhiệt",
    ],
)
def test_one_need_finds_the_same_thing_in_six_languages(text: str) -> None:
    assert set(languages_found(text)[:6]) == set(DRYERS)


def test_an_explanation_names_the_concept_with_the_words_of_both_sides() -> None:
    wanted = views_of(DemandProfile(title="Máy sấy chè", language="vi"))
    offered = views_of(SupplyProfile(title="열펌프식 차 건조기", language="ko"))
    terms = DemandText(wanted, Engine(year=2026).frozen).matched(SupplyText(offered))
    assert any(each.term.startswith("#") for each in terms)
    assert sum(each.share for each in terms) == pytest.approx(1_000_000, abs=5)


def test_a_word_meets_its_translation() -> None:
    wanted = views_of(DemandProfile(title="Hệ thống tự động phát hiện động vật", language="vi"))
    offered = views_of(SupplyProfile(title="Automated animal detection", language="en"))
    terms = DemandText(wanted, Engine(year=2026).frozen).matched(SupplyText(offered))
    assert ("%phát hiện", "detect") in {(each.term, each.found) for each in terms}


def test_words_are_cut_as_long_as_they_are_known() -> None:
    units = units_in("Máy sấy chè của hợp tác xã")
    assert "%máy sấy chè" in units
    assert "%của" not in units
    assert units["%máy sấy"] < units["%máy sấy chè"]


def test_a_word_without_marks_meets_its_translation() -> None:
    (wanted,) = views_of(DemandProfile(title="cam bien nhiet do", language="vi"))
    assert "%cảm biến nhiệt độ" in wanted.terms or "%cảm biến" in wanted.terms
    assert "sensor" in dict(alternatives("%cảm biến", "en"))


def test_unknown_words_are_no_error() -> None:
    assert alternatives("%xyz", "en") == ()
    assert units_in("") == {}


@pytest.mark.parametrize(
    ("language", "term"), [("de", "schweissrobot"), ("zh", "焊接"), ("en", "weld")]
)
def test_a_word_has_terms_in_each_language(language, term):
    (unit,) = (name for name in units_in("robot hàn") if name == "%robot hàn")
    assert term in dict(alternatives(unit, language))
