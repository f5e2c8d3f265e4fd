"""What holds of the engine for any input: order, monotony, exact sums, bounded work."""

import random
from collections.abc import Sequence
from math import inf
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine import amounts
from svc_matching.engine.amounts import MAX_NUMBERS
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.features import components_of, pack_features
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.matched import MAX_CONCEPTS, DemandText, SupplyText
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.quantities import MAX_READ, Range
from svc_matching.engine.queries import EXTRA_QUERIES, MAX_SETS, queries_of
from svc_matching.engine.statistics import Frozen, freeze
from svc_matching.engine.units import MAX_SIZE
from svc_matching.engine.vectors import MAX_QUERY_TERMS, vector_of
from svc_matching.engine.views import View, pack, unpack, views_of
from svc_matching.engine.weights import MILLION

DEMAND = UUID(int=1)
Facts = dict[str, Any]


def supply_id(number: int) -> UUID:
    return UUID(int=1_000 + number)


def put_demand(engine: Engine, given_facts: Facts) -> None:
    profile = DemandProfile(**given_facts)
    views = views_of(profile)
    engine.put_demand(DEMAND, demand_facts(profile, views), views)


def put_supply(engine: Engine, number: int, given_facts: Facts) -> None:
    status = SupplyStatus(given_facts.get("status", "PUBLISHED"))
    profile = SupplyProfile(**{k: v for k, v in given_facts.items() if k != "status"})
    views = views_of(profile)
    engine.put_supply(supply_id(number), supply_facts(profile, status, views), views)


WORDS = [
    "sấy",
    "chè",
    "bơm nhiệt",
    "lúa",
    "dryer",
    "tea",
    "heat pump",
    "năng lượng",
    "건조기",
    "茶",
]
WANTED: Facts = {
    "title": "Lò sấy chè bơm nhiệt",
    "description": "Cần sấy chè bằng heat pump, tiết kiệm năng lượng.",
    "language": "vi",
    "fields": ["2.11"],
    "industries": ["1079"],
    "ipc": ["A23F 3/06"],
    "trl_min": 5,
    "requirements": [
        {"name": "công suất", "min": 200, "max": 500, "unit": "kg/h", "must": True},
        {"name": "độ ẩm", "max": 5, "unit": "%"},
    ],
    "transfer": {
        "scope": "WHOLE",
        "right": "OWNERSHIP",
        "exclusivity": "EXCLUSIVE",
        "parts": ["KNOW_HOW", "DRAWINGS", "EQUIPMENT"],
        "forms": ["INDEPENDENT", "JOINT_RND"],
        "methods": ["TRAINING", "EXPERTS"],
    },
    "preferred_countries": ["VN", "KR"],
    "excluded_countries": ["US"],
    "accepts_used_equipment": False,
    "needed_by": "2027-06-30",
    "budget": {"max": 1_000_000_000, "currency": "VND"},
    "absorption": {"workforce": 3, "skills": 2, "capital": 3, "rnd": 1},
}

# Each property from worst to best: better is further to the right.
STEPS: dict[str, list[Any]] = {
    "trl": list(range(1, 10)),
    "price": [
        {"min": 3_000_000_000, "currency": "VND"},
        {"min": 60_000, "currency": "USD"},
        {"max": 1_100_000_000, "currency": "VND"},
        {"min": 900_000_000, "max": 2_000_000_000, "currency": "VND"},
        {"min": 0, "currency": "VND"},
    ],
    "country": ["US", "DE", "KR"],
    "condition": ["USED", "NEW"],
    "legal_list": ["PROHIBITED", "RESTRICTED", "ENCOURAGED"],
    "available_until": ["2026-12-31", "2027-06-29", "2027-06-30", "2030-01-01"],
    "fields": [["4.1"], ["4.1", "2.4"], ["4.1", "2.4", "2.11"]],
    "industries": [["2825"], ["2825", "1071"], ["2825", "1071", "1079"]],
    "ipc": [["B25J 9/00"], ["B25J 9/00", "A23F 5/04"], ["B25J 9/00", "A23F 5/04", "A23F 3/06"]],
    "ipr": [
        [{"type": "NONE"}],
        [{"type": "PATENT", "status": "LAPSED"}],
        [{"type": "PATENT", "status": "LAPSED"}, {"type": "KNOW_HOW"}],
        [{"type": "PATENT", "status": "APPLIED"}],
        [{"type": "PATENT", "status": "GRANTED"}, {"type": "NONE"}],
    ],
    "status": ["EXPIRED", "PUBLISHED"],
}
TERMS: dict[str, list[Any]] = {
    "scope": ["PARTIAL", "WHOLE"],
    "right": ["USE", "OWNERSHIP"],
    "exclusivity": ["NON_EXCLUSIVE", "EITHER"],
    "parts": [["DATA"], ["DATA", "KNOW_HOW"], ["DATA", "KNOW_HOW", "DRAWINGS", "EQUIPMENT"]],
    "forms": [["OTHER"], ["OTHER", "JOINT_RND"], ["OTHER", "JOINT_RND", "INDEPENDENT"]],
    "methods": [["DOCUMENTS"], ["DOCUMENTS", "TRAINING"], ["EXPERTS", "TRAINING"]],
}
LEVELS: dict[str, list[Any]] = {
    name: [5, 4, 3, 2, 1]
    for name in ("workforce", "skills", "infrastructure", "capital", "management", "rnd")
}
CAPACITY = [(900, 950), (700, 950), (501, 950), (450, 950), (100, 950)]
MOISTURE = [(20, 25), (9, 25), (4, 25)]


@st.composite
def better_and_worse(draw: st.DrawFn) -> tuple[Facts, Facts]:
    """Two supplies with the same text that state the same things, one nowhere behind the other."""
    text = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=10)))
    worse: Facts = {"title": text, "language": draw(st.sampled_from(["vi", "en", "ko"]))}
    better = dict(worse)

    def step(values: Sequence[Any]) -> tuple[Any, Any]:
        low = draw(st.integers(0, len(values) - 1))
        return values[low], values[draw(st.integers(low, len(values) - 1))]

    for name, values in STEPS.items():
        if draw(st.booleans()):
            worse[name], better[name] = step(values)
    for name, table in (("transfer", TERMS), ("requires", LEVELS)):
        chosen = {key: step(values) for key, values in table.items() if draw(st.booleans())}
        worse[name] = {key: low for key, (low, _) in chosen.items()}
        better[name] = {key: high for key, (_, high) in chosen.items()}
    for concept, unit, spans in (("công suất", "kg/h", CAPACITY), ("độ ẩm", "%", MOISTURE)):
        if draw(st.booleans()):
            for side, (low, high) in zip((worse, better), step(spans), strict=True):
                stated = {"name": concept, "min": low, "max": high, "unit": unit}
                side["specifications"] = [*side.get("specifications", []), stated]
    return worse, better


@settings(max_examples=150, deadline=None)
@given(better_and_worse(), st.booleans(), st.sets(st.sampled_from(sorted(WANTED)), max_size=8))
def test_a_supply_nowhere_behind_another_never_ranks_lower(
    two: tuple[Facts, Facts], better_is_first: bool, silent: set[str]
) -> None:
    engine = Engine(year=2026)
    silent -= {"title"}
    put_demand(engine, {name: value for name, value in WANTED.items() if name not in silent})
    places = (2, 1) if better_is_first else (1, 2)
    for place, facts in zip(places, two, strict=True):
        put_supply(engine, place, facts)
    engine.adopt(engine.freeze(1))
    scored = {pair.supply_id: pair for pair in engine.score(DEMAND, [supply_id(n) for n in places])}
    worse, better = (scored.get(supply_id(place)) for place in places)
    if worse is None:
        return
    assert better is not None
    assert better.score >= worse.score
    assert better.relevance >= worse.relevance
    assert better.reasons & ~worse.reasons == 0
    listed = [pair.supply_id for pair in engine.rank(DEMAND).listed]
    if worse.supply_id in listed and better.score > worse.score:
        assert listed == [better.supply_id, worse.supply_id]


@st.composite
def offers(draw: st.DrawFn) -> Facts:
    worse, better = draw(better_and_worse())
    return draw(st.sampled_from([worse, better]))


def told(ranking: Ranking) -> tuple[list[Any], list[Any], UUID | None]:
    def keys(pairs: Sequence[Pair]) -> list[Any]:
        return [(pair.supply_id, pair.score, pair.relevance, pair.reasons) for pair in pairs]

    witness = ranking.witness.supply_id if ranking.witness else None
    return keys(ranking.listed), keys(ranking.missed), witness


@settings(max_examples=40, deadline=None)
@given(
    st.lists(offers(), min_size=2, max_size=40),
    st.randoms(use_true_random=False),
    st.integers(0, 40),
    st.integers(1, 4),
)
def test_no_order_of_coming_and_going_changes_a_list(
    given_offers: list[Facts], chance: random.Random, opened_after: int, copies: int
) -> None:
    """Lists, near misses and witness are the same; copies of one supply are ordered by id."""
    numbered = list(enumerate(given_offers * copies))[:60]
    found = []
    for _ in range(2):
        engine = Engine(year=2026)
        for count, (number, facts) in enumerate(numbered):
            if count == opened_after:
                put_demand(engine, WANTED)
            # Slots are given back and taken anew, texts replaced.
            put_supply(engine, number, given_offers[0])
            if chance.random() < 0.3:
                engine.drop_supply(supply_id(number))
            put_supply(engine, number, facts)
        put_demand(engine, WANTED)
        engine.adopt(engine.freeze(1))
        found.append(told(engine.rank(DEMAND)))
        chance.shuffle(numbered)
    assert found[0] == found[1]
    listed = found[0][0]
    assert listed == sorted(listed, key=lambda row: (-row[1], row[0]))


HOSTILE = [
    "",
    " \t\n ",
    "chè " * 2_000,
    "chè" * 2_666,
    "sấy chè " * 1_000,
    "a" * 8_000,
    "茶" * 8_000,
    "ạ̈" * 2_600,
    "\u0301" * 8_000,
    "a" + "\u0301" * 7_999,
    "e\u0323\u0302" * 2_600,
    "\u200b\u200e\u00ad" * 2_600,
    "\x01\x07\x1b[31m\x7f\x85 sấy \x9b" * 300,
    "\u202esấy chè\u202c " * 600,
    "sấy 건조 茶 dryer сушка ชา تجفيف " * 200,
    "k𝓰/𝕙 ½ ⅷ ① ５００ ｋｇ ㎏ ㎥ ﷽ 🍵👨‍👩‍👧 " * 150,
    "9" * 8_000,
    "1e308 kg " * 888,
    "-5 m3/h, " * 888,
    "1.000.000.000.000 tấn/ngày - " * 270,
    "500-" * 2_000,
    "5" + " " * 7_990 + "kg",
    "5 " + "kg/" * 2_600,
    "công suất " * 790 + "5 kg/h",
    "1/" * 4_000,
    "-1 tỷ đồng, −2 triệu USD, (3) VND. " * 220,
    "_" * 8_000,
    "\x1e\x1f=~%#@" * 1_000,
    "((((((((" * 1_000,
    "ß" * 8_000,
    "İ" * 8_000,
    "Wärmepumpentrocknungsanlagen" * 280,
]
SIZES = [0, -0.0, 5e-324, -5, 1e-300, 1e15, 1e300, 1e308, -1e308, 1.7976931348623157e308]
UNITS = [
    "kg",
    "m3/h",
    "kg/h",
    "°C",
    "K",
    "%",
    "",
    "kg/kg/kg",
    "tấn/ngày",
    "((((",
    "1e308",
    "/" * 32,
]


def test_more_languages_than_bits_change_nothing() -> None:
    """A demand in the 90th language finds its translations, whoever came first."""
    codes = [f"x{a}{b}" for a in "abcdefghi" for b in "abcdefghij"]
    text = {"title": "qwrtz plmk"}
    given_offers: list[Facts] = [text | {"language": code} for code in codes]
    given_offers += [
        text | {"language": "en", "translations": {code: text}} for code in codes[::10]
    ]
    given_offers += [{"title": "녹차 건조기", "language": "ko"}]
    numbered = list(enumerate(given_offers))
    for language in (codes[0], codes[80]):
        found = []
        for order in (numbered, numbered[::-1]):
            engine = Engine(year=2026)
            for number, facts in order:
                put_supply(engine, number, facts)
            put_demand(engine, text | {"language": language})
            engine.adopt(engine.freeze(1))
            found.append(told(engine.rank(DEMAND)))
        assert found[0] == found[1]
        (same, translated, *_), *_ = found[0]
        assert same[0] == supply_id(codes.index(language))
        assert translated[0] == supply_id(len(codes) + codes.index(language) // 10)
        assert same[1] > translated[1] > found[0][0][2][1]


@st.composite
def hostile_text(draw: st.DrawFn) -> str:
    known = st.sampled_from(HOSTILE)
    wild = st.text(max_size=200)
    text = draw(st.one_of(known, wild, st.tuples(wild, known, wild).map("".join)))
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()[:8_000]


@st.composite
def hostile_quantities(draw: st.DrawFn) -> list[Facts]:
    found = []
    for _ in range(draw(st.integers(0, 4))):
        low, high = sorted(draw(st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES))))
        ends = draw(st.sampled_from([{"min": low}, {"max": high}, {"min": low, "max": high}]))
        name = draw(st.sampled_from(["công suất", "độ ẩm", "nhiệt độ", "\u0301", "x" * 128]))
        unit, must = draw(st.sampled_from(UNITS)), draw(st.booleans())
        found.append(ends | {"name": name, "unit": unit, "must": must})
    return found


MONEY = st.sampled_from(
    [
        None,
        {"min": 0, "max": 0, "currency": "VND"},
        {"max": 10**15, "currency": "USD"},
        {"min": 1, "currency": "XAF"},
        {"max": 1, "currency": "JPY"},
    ]
)


@st.composite
def hostile(draw: st.DrawFn, quantities: str, money: str) -> Facts:
    language = st.sampled_from([None, "vi", "en", "de", "ko", "ja", "zh", "sw", "xxx"])
    facts: Facts = {
        "title": (draw(hostile_text())[:200].strip() or "?") + " chè",
        "summary": draw(hostile_text())[:400],
        "description": draw(hostile_text()),
        "language": draw(language),
        quantities: draw(hostile_quantities()),
        money: draw(MONEY),
    }
    if draw(st.booleans()):
        facts["translations"] = {"en": {"title": "tea", "description": draw(hostile_text())}}
    return facts


def checked(facts: Facts, kind: type[Any]) -> Any:
    """Return the profile, or the smaller one that the contract lets through."""
    try:
        return kind(**facts)
    except ValidationError:
        return kind(title="chè", description=facts["description"])


def assert_sizes(ranges: Sequence[Range]) -> None:
    """An end is open, or a size that things have."""
    for each in ranges:
        assert each.low <= each.high
        for end in (each.low, each.high):
            assert abs(end) == inf or abs(end) <= MAX_SIZE


def assert_bounded(views: Sequence[View]) -> None:
    for view in views:
        assert len(view.terms) == len(set(view.terms)) == len(view.frequencies)
        # A syllable, its shadow, two pairs; a concept and its families: never more than so many.
        assert len(view.terms) <= 6 * 9_000
        assert all(0 < len(term) <= 96 for term in view.terms)
        assert len(view.read) <= MAX_READ
        assert 0 <= view.length <= 6 * 9_000
    restored = unpack(pack(tuple(views)))
    assert [(v.language, v.terms, v.read) for v in restored] == [
        (v.language, v.terms, v.read) for v in views
    ]


@settings(max_examples=120, deadline=None)
@given(hostile("requirements", "budget"), st.lists(hostile("specifications", "price"), max_size=4))
def test_whatever_comes_there_is_a_defined_result(wanted: Facts, offered: list[Facts]) -> None:
    engine = Engine(year=2026)
    demand = checked(wanted, DemandProfile)
    views = views_of(demand)
    assert_bounded(views)
    engine.put_demand(DEMAND, demand_facts(demand, views), views)
    assert_sizes(demand_facts(demand, views).needs)
    texts = {}
    for number, facts in enumerate(offered):
        supply = checked(facts, SupplyProfile)
        texts[supply_id(number)] = offer = views_of(supply)
        assert_bounded(offer)
        found = supply_facts(supply, SupplyStatus.PUBLISHED, offer)
        engine.put_supply(supply_id(number), found, offer)
    engine.adopt(engine.freeze(1))
    for query in engine.demands.get(DEMAND).queries:
        assert len(query.ids) <= max(MAX_QUERY_TERMS, 64 * MAX_SETS)
        assert query.sets is None or len(query.sets.lengths) <= MAX_SETS
        assert query.self_score >= 1
    ranking = engine.rank(DEMAND)
    for pair in (*ranking.listed, *ranking.missed):
        assert 0 <= pair.score <= pair.relevance + 1 <= MILLION + 1
    for pair, features in zip(
        ranking.listed, pack_features(ranking.listed, engine.weights), strict=True
    ):
        components = components_of(features.components)
        assert sum(round(MILLION * each.contribution) for each in components) == pair.score
        assert all(each.contribution >= 0 for each in components)
        assert all(0 <= each.value <= 1 for each in components)
        assert 0 < features.confidence <= MILLION
        shared = DemandText(views, engine.frozen).matched(SupplyText(texts[pair.supply_id]))
        assert len(shared) <= MAX_CONCEPTS
        assert sum(each.share for each in shared) <= MILLION + MAX_CONCEPTS
    previewed = engine.preview(demand_facts(demand, views), views)
    assert told(previewed) == told(ranking)


@pytest.mark.parametrize("language", ["vi", "en", "de", "ko", "ja", "zh", None])
@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("chè " * 2_000, 24),
        ("sấy chè " * 1_000, 40),
        ("a" * 8_000, 8),
        ("茶" * 8_000, 8),
        ("\u0301" * 8_000, 0),
        ("9" * 8_000, 4),
        ("_" * 8_000, 0),
    ],
)
def test_repetition_makes_no_terms(text: str, most: int, language: str | None) -> None:
    (*views,) = views_of(DemandProfile(title="?", description=text, language=language))
    assert sum(len(view.terms) for view in views) <= most
    lexicon = Lexicon()
    vectors = [vector_of(view, lexicon) for view in views]
    queries = queries_of(vectors, lexicon, Frozen.of(freeze(0, (), lexicon), lexicon))
    assert len(queries) <= len(views) + EXTRA_QUERIES


@pytest.mark.parametrize("text", [text for text in HOSTILE if any(c.isdigit() for c in text)])
def test_a_text_of_numbers_is_given_up_after_so_many(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    read_number = amounts.read_number

    def counted(*args: Any, **kwargs: Any) -> Any:
        looked_at.append(args)
        return read_number(*args, **kwargs)

    monkeypatch.setattr(amounts, "read_number", counted)
    views = views_of(SupplyProfile(title="chè", description=text, language="vi"))
    assert len(looked_at) <= MAX_NUMBERS <= 256
    assert_sizes(views[0].read)


@pytest.mark.parametrize("field", ["min", "max"])
def test_negative_money_does_not_reach_the_engine(field: str) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        SupplyProfile(title="chè", price={field: -1, "currency": "VND"})
