"""The engine ranks exactly, in any order of arrival, forward and in reverse."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.demands import DemandProfile
from shared.contracts.matches import ReasonCode
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.features import components_of, pack_features
from svc_matching.engine.gates import BIT
from svc_matching.engine.matched import DemandText, SupplyText
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.ranking import bar_of, merge
from svc_matching.engine.scoring import break_down
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.views import views_of
from svc_matching.engine.weights import load_weights, parse_weights

DEMAND = UUID(int=1)
WORDS = ["tea", "rice", "coffee", "pepper", "wood", "shrimp", "dryer", "pump", "boiler", "robot"]


def put_demand(engine: Engine, demand_id: UUID = DEMAND, **given: Any) -> None:
    profile = DemandProfile(**{"title": "Tea dryer", "language": "en"} | given)
    views = views_of(profile)
    engine.put_demand(demand_id, demand_facts(profile, views), views)


def put_supply(
    engine: Engine, number: int, status: SupplyStatus = SupplyStatus.PUBLISHED, **given: Any
) -> UUID:
    supply_id = UUID(int=1000 + number)
    profile = SupplyProfile(**{"title": "Tea dryer", "language": "en"} | given)
    views = views_of(profile)
    facts = supply_facts(profile, status, views)
    engine.put_supply(supply_id, facts, views)
    return supply_id


def ranked(engine: Engine, demand_id: UUID = DEMAND) -> list[tuple[UUID, int]]:
    return [(pair.supply_id, pair.score) for pair in engine.rank(demand_id).listed]


@st.composite
def supplies(draw: st.DrawFn) -> dict[str, Any]:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
    optional: dict[str, st.SearchStrategy[Any]] = {
        "trl": st.integers(1, 9),
        "fields": st.lists(st.sampled_from(["2.11", "2.3", "4.1"]), max_size=2),
        "industries": st.lists(st.sampled_from(["1079", "1071", "2825"]), max_size=2),
        "ipc": st.lists(st.sampled_from(["A23F 3/06", "A23F 3/08", "F26B 17/04"]), max_size=2),
        "country": st.sampled_from(["VN", "KR", "JP"]),
        "price": st.integers(1, 40).map(lambda n: {"min": n * 50_000_000, "currency": "VND"}),
        "requires": st.integers(1, 5).map(lambda n: {"skills": n}),
        "condition": st.sampled_from(["NEW", "USED"]),
        "year_made": st.integers(2000, 2026),
        "transfer": st.sampled_from([{"scope": "PARTIAL"}, {"scope": "WHOLE", "right": "USE"}]),
    }
    return {"title": " ".join(words)} | {
        name: draw(values) for name, values in optional.items() if draw(st.booleans())
    }


RICH_DEMAND: dict[str, Any] = {
    "title": "tea dryer pump",
    "fields": ["2.11"],
    "industries": ["1079"],
    "ipc": ["A23F 3/06"],
    "trl_min": 4,
    "preferred_countries": ["VN"],
    "excluded_countries": ["JP"],
    "budget": {"max": 900_000_000, "currency": "VND"},
    "absorption": {"skills": 3},
    "transfer": {"scope": "WHOLE"},
}


@settings(max_examples=60, deadline=None)
@given(st.lists(supplies(), min_size=1, max_size=8))
def test_contributions_add_up_to_the_score_exactly(offers: list[dict[str, Any]]) -> None:
    engine = Engine(year=2026)
    put_demand(engine, **RICH_DEMAND)
    for number, offer in enumerate(offers):
        put_supply(engine, number, **offer)
    listed = engine.rank(DEMAND).listed
    for pair, features in zip(listed, pack_features(listed, engine.weights), strict=True):
        components = components_of(features.components)
        assert sum(round(1e6 * each.contribution) for each in components) == pair.score
        assert all(each.contribution >= 0 for each in components)
        assert sum(each.weight for each in components) == pytest.approx(1, abs=1e-5)
        assert 0 < features.confidence <= 1_000_000


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1_000_000),
            st.floats(0, 1),
            st.lists(st.floats(0, 1), min_size=19, max_size=19),
            st.lists(st.booleans(), min_size=19, max_size=19),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_score_is_divided_without_remainder_alone_or_among_others(
    pairs: list[tuple[int, float, list[float], list[bool]]],
) -> None:
    def divided(chosen: Sequence[tuple[int, float, list[float], list[bool]]]) -> list[list[int]]:
        scores, about, values, known = (np.array(each) for each in zip(*chosen, strict=True))
        parts = break_down(scores, about, values, known, load_weights())
        return parts.contributions.tolist()

    together = divided(pairs)
    assert [sum(contributions) for contributions in together] == [pair[0] for pair in pairs]
    assert [divided([pair])[0] for pair in pairs] == together


@settings(max_examples=30, deadline=None)
@given(st.lists(supplies(), min_size=1, max_size=30))
def test_a_demand_ranks_the_same_alone_and_among_others(offers: list[dict[str, Any]]) -> None:
    engine = Engine(year=2026)
    for number, offer in enumerate(offers):
        put_supply(engine, number, **offer)
    demands = [UUID(int=number) for number in range(1, 8)]
    for demand_id, word in zip(demands, WORDS, strict=False):
        put_demand(engine, demand_id, **RICH_DEMAND | {"title": f"tea {word}"})
    put_demand(engine, demands[2], title="tea", trl_min=9, transfer={"right": "OWNERSHIP"})
    together = engine.rank_many(demands)
    assert [ranked(engine, demand_id) for demand_id in demands] == [
        [(pair.supply_id, pair.score) for pair in ranking.listed] for ranking in together
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(supplies(), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    offers: list[dict[str, Any]], chance: random.Random
) -> None:
    numbered = list(enumerate(offers))
    one, other = Engine(year=2026), Engine(year=2026)
    for engine in (one, other):
        put_demand(engine, **RICH_DEMAND)
        for number, offer in numbered:
            put_supply(engine, number, **offer)
        chance.shuffle(numbered)
        engine.adopt(engine.freeze(1))
    assert ranked(one) == ranked(other)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(supplies(), min_size=25, max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.one_of(st.none(), supplies())), max_size=12),
)
def test_lists_kept_up_to_date_equal_lists_ranked_anew(
    offers: list[dict[str, Any]], changes: list[tuple[int, dict[str, Any] | None]]
) -> None:
    engine = Engine(year=2026)
    for number, offer in enumerate(offers[:30]):
        put_supply(engine, number, **offer)
    engine.adopt(engine.freeze(1))
    put_demand(engine, **RICH_DEMAND)
    kept = _remember(engine, engine.rank(DEMAND))
    everything: list[tuple[int, dict[str, Any] | None]] = list(enumerate(offers))[30:] + changes
    for number, offer in everything:
        supply_id = UUID(int=1000 + number)
        held = {pair.supply_id for pair in (*kept.listed, *kept.missed)}
        held |= {kept.witness.supply_id} if kept.witness else set()
        if offer is None:
            engine.drop_supply(supply_id)
        else:
            put_supply(engine, number, **offer)
        if supply_id in held or DEMAND in engine.concerned([supply_id]):
            changed = frozenset({supply_id})
            merged = engine.merge(kept, changed, engine.score(DEMAND, changed))
            kept = _remember(engine, merged or engine.rank(DEMAND))
    anew = engine.rank(DEMAND)
    assert _keys(kept.listed) == _keys(anew.listed)
    assert {p.supply_id for p in kept.missed} == {p.supply_id for p in anew.missed}
    assert (kept.witness and kept.witness.miss_key) == (anew.witness and anew.witness.miss_key)


def test_a_relevant_supply_that_cannot_enter_the_list_is_nobodys_concern() -> None:
    engine = Engine(year=2026)
    wanted = {"absorption": {"skills": 5}, "preferred_countries": ["VN"], "trl_min": 7}
    put_demand(engine, title="tea dryer pump", **wanted)
    good = {"country": "VN", "trl": 9, "requires": {"skills": 2}}
    for number in range(engine.weights.list_size):
        put_supply(engine, number, title="tea dryer pump", **good)
    for number in range(900, 900 + engine.weights.near_misses):
        put_supply(engine, number, title="tea dryer pump", trl=3)
    ranking = _remember(engine, engine.rank(DEMAND))
    poor = put_supply(engine, 500, title="tea dryer pump valve", country="CN", trl=7)
    ((pair,),) = engine.score_many({DEMAND: [poor]}).values()
    bar = engine.bar(ranking)
    assert bar.lowest < pair.relevance < min(bar.missed, bar.witness)
    assert pair.passes
    assert pair.score < bar.listed
    assert engine.concerned([poor]) == {}
    better = put_supply(engine, 501, title="tea dryer pump", **good)
    assert engine.concerned([poor, better]) == {DEMAND: {better}}


def _remember(engine: Engine, ranking: Ranking) -> Ranking:
    engine.set_bar(DEMAND, engine.bar(ranking))
    return ranking


def _keys(pairs: Sequence[Pair]) -> list[tuple[UUID, int]]:
    return [(pair.supply_id, pair.score) for pair in pairs]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"trl": 4}, {"trl": 6}),
        ({"country": "KR"}, {"country": "VN"}),
        (
            {"price": {"min": 1_800_000_000, "currency": "VND"}},
            {"price": {"min": 40_000, "currency": "USD"}},
        ),
        ({"requires": {"skills": 5}}, {"requires": {"skills": 2}}),
        ({"fields": ["4.1"]}, {"fields": ["2.11"]}),
        ({"industries": ["2825"]}, {"industries": ["1071"]}),
        ({"ipc": ["A23F 5/04"]}, {"ipc": ["A23F 3/06"]}),
        ({"ipr": [{"type": "NONE"}]}, {"ipr": [{"type": "PATENT", "status": "GRANTED"}]}),
        ({"transfer": {"scope": "EITHER", "right": "USE"}}, {"transfer": {"scope": "WHOLE"}}),
        ({"title": "dryer pump"}, {"title": "tea dryer pump"}),
    ],
)
def test_a_better_supply_never_ranks_lower(worse: dict[str, Any], better: dict[str, Any]) -> None:
    engine = Engine(year=2026)
    put_demand(engine, **RICH_DEMAND)
    low = put_supply(engine, 1, **{"title": "tea dryer"} | worse)
    high = put_supply(engine, 2, **{"title": "tea dryer"} | better)
    scores = dict(ranked(engine))
    assert scores[high] >= scores[low]


def test_equal_scores_are_ordered_by_id() -> None:
    engine = Engine(year=2026)
    put_demand(engine)
    ids = [put_supply(engine, number) for number in (3, 1, 2)]
    assert [supply_id for supply_id, _ in ranked(engine)] == sorted(ids)


def test_no_marks_count_as_the_likeliest_and_wrong_ones_count_less() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="Máy bơm", language="vi")
    bare = put_supply(engine, 1, title="may bom", language="vi")
    exact = put_supply(engine, 2, title="máy bơm", language="vi")
    other = put_supply(engine, 3, title="mày bom", language="vi")
    scores = dict(ranked(engine))
    assert scores[exact] == scores[bare] > scores[other] > 0


def test_a_demand_without_marks_finds_the_supply_with_marks() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="say che", language="vi")
    tea = put_supply(engine, 1, title="Lò sấy chè", language="vi")
    put_supply(engine, 2, title="Nồi hơi đốt trấu", language="vi")
    assert [supply_id for supply_id, _ in ranked(engine)] == [tea]


def test_a_translated_supply_meets_a_demand_of_that_language() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="Lò sấy chè", language="vi")
    korean = put_supply(
        engine,
        1,
        title="녹차 건조기",
        language="ko",
        translations={"vi": {"title": "Lò sấy chè xanh"}},
    )
    assert [supply_id for supply_id, _ in ranked(engine)] == [korean]


def test_unknown_codes_leave_the_score_to_the_terms() -> None:
    with_codes, without = Engine(year=2026), Engine(year=2026)
    put_demand(with_codes, **RICH_DEMAND | {"budget": None, "absorption": None})
    put_demand(
        without,
        **{
            name: value
            for name, value in RICH_DEMAND.items()
            if name not in ("fields", "industries", "ipc", "budget", "absorption")
        },
    )
    for engine in (with_codes, without):
        put_supply(engine, 1, title="tea dryer")
    assert ranked(with_codes) == ranked(without)


def test_a_text_equal_to_the_demand_has_full_term_relevance() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="Heat pump dryer", description="For green tea leaves")
    put_supply(engine, 1, title="Heat pump dryer", description="For green tea leaves")
    (pair,) = engine.rank(DEMAND).listed
    assert pair.relevance == 1_000_000


def test_unrelated_supplies_are_not_listed() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="Tea dryer")
    put_supply(engine, 1, title="Welding robot")
    assert ranked(engine) == []


def test_statistics_survive_being_stored() -> None:
    engine = Engine(year=2026)
    put_demand(engine)
    for number, word in enumerate(WORDS):
        put_supply(engine, number, title=f"tea dryer {word}")
    engine.adopt(engine.freeze(7))
    before = ranked(engine)
    stored = engine.statistics.dump(engine.lexicon)
    engine.adopt(Statistics.load(7, stored, engine.lexicon))
    assert engine.statistics.epoch == 7
    assert ranked(engine) == before


def test_lists_hold_the_best_of_many_blocks() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="tea dryer pump", trl_min=5)
    for number in range(700):
        put_supply(
            engine,
            number,
            title=" ".join(["tea", *(["dryer"] if number % 3 else []), *WORDS[: number % 10]]),
            trl=number % 9 + 1,
        )
    engine.adopt(engine.freeze(1))
    every = engine.score(DEMAND, [UUID(int=1000 + number) for number in range(700)])
    best = sorted((pair for pair in every if pair.passes), key=lambda pair: pair.rank_key)[:20]
    assert ranked(engine) == _keys(best)


def test_weights_that_do_not_add_up_are_refused() -> None:
    from importlib.resources import files

    text = files("svc_matching.engine").joinpath("weights.toml").read_text("utf-8")
    with pytest.raises(ValueError, match="add up"):
        parse_weights(text.replace("terms = 0.50", "terms = 0.95"))


def test_a_listed_supply_that_got_worse_makes_room_for_one_never_kept() -> None:
    engine = Engine(year=2026)
    put_demand(engine, title="tea dryer pump")
    for number in range(30):
        put_supply(engine, number, title="tea dryer", trl=9, country="VN")
    before = engine.rank(DEMAND)
    worse = put_supply(engine, 3, title="tea boiler")
    changed = frozenset({worse})
    fresh = engine.score(DEMAND, changed)
    assert fresh[0].score < before.listed[-1].score
    assert engine.merge(before, changed, fresh) is None
    assert worse not in dict(ranked(engine))


def test_an_explanation_weighs_terms_as_the_ranking_did() -> None:
    engine = Engine(year=2026)
    for number, word in enumerate(WORDS):
        put_supply(engine, number, title=f"tea dryer {word}")
    engine.adopt(engine.freeze(1))
    wanted = views_of(DemandProfile(title="tea dryer pump", language="en"))
    offered = views_of(SupplyProfile(title="tea dryer pump boiler", language="en"))
    text = DemandText(wanted, engine.frozen)
    terms = {each.term: each.share for each in text.matched(SupplyText(offered))}
    assert {name for name in terms if name[0] != "#"} == {"tea", "dryer", "pump"}
    assert terms["pump"] > terms["tea"]
    assert sum(terms.values()) == pytest.approx(1_000_000, abs=3)
    assert text.matched(SupplyText(views_of(SupplyProfile(title="Robot", language="en")))) == ()


def test_what_younger_texts_say_is_explained_as_rare() -> None:
    engine = Engine(year=2026)
    put_supply(engine, 1, title="tea dryer")
    engine.adopt(engine.freeze(1))
    views = views_of(DemandProfile(title="tea zeolite", language="en"))
    terms = DemandText(views, engine.frozen).matched(SupplyText(views))
    assert terms[0].term == "zeolit"


def _pair(number: int, relevance: int, reasons: int = 0) -> Pair:
    return Pair(UUID(int=number), relevance, relevance, reasons)


def test_the_witness_stays_the_most_relevant_supply_that_nothing_blocks() -> None:
    """The diagnosis asks how relevant it is, so a lesser one is not as good."""
    weights = load_weights()
    blocked = [_pair(n, 800_000, BIT[ReasonCode.BUDGET_SHORT]) for n in range(weights.list_size)]
    old = Ranking(tuple(blocked), tuple(blocked[: weights.near_misses]), _pair(99, 400_000))
    assert bar_of(old, weights).lowest == 400_000
    weaker, stronger = _pair(100, 350_000), _pair(100, 450_000)
    gone = frozenset({UUID(int=99), UUID(int=100)})
    assert merge(old, gone, [weaker], weights) is None
    kept = merge(old, gone, [stronger], weights)
    assert kept is not None
    assert kept.witness == stronger
