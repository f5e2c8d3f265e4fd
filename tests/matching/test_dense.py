"""How near two embeddings are: exact, bounded by their signatures, a function of the pair."""

import random
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine.dense import Embedding, EmbeddingRows, read_embeddings
from svc_matching.engine.embedding import EmbedderError, TextRefusedError, pack_embeddings
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.features import components_of, pack_features, values_of
from svc_matching.engine.pairs import Pair
from svc_matching.engine.views import views_of
from svc_matching.engine.weights import COMPONENTS, load_weights, parse_weights

DEMAND = UUID(int=1)
WORDS = ["tea", "rice", "coffee", "pepper", "wood", "shrimp", "dryer", "pump", "boiler", "robot"]


def embeddings(matrix: np.ndarray) -> list[Embedding]:
    return read_embeddings(pack_embeddings(matrix.astype(np.float32), *matrix.shape))


def clouds(seed: int, count: int, dimensions: int) -> np.ndarray:
    """Vectors of all nearnesses: some centres, and each vector at its own distance from one."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((5, dimensions))
    spread = chance.uniform(0, 3, (count, 1))
    return centres[chance.integers(0, 5, count)] + spread * chance.standard_normal(
        (count, dimensions)
    )


def as_rows(many: list[Embedding]) -> EmbeddingRows:
    rows = EmbeddingRows()
    for slot, each in enumerate(many):
        rows.put(slot, each)
    return rows


def by_hand(one: Embedding, other: Embedding) -> float:
    a, b = ([int(number) for number in each.numbers] for each in (one, other))
    cosine = (
        sum(x * y for x, y in zip(a, b, strict=True))
        / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    )
    return min(1.0, max(0.0, (cosine - 0.1) / 0.8))


@pytest.mark.parametrize("dimensions", [8, 64, 384, 1500, 4096])
def test_nearness_is_the_formula_on_whole_numbers(dimensions: int) -> None:
    one, *many = embeddings(clouds(1, 25, dimensions))
    values, known = as_rows(many).nearness(one, np.arange(24))
    assert known.all()
    assert values.tolist() == pytest.approx([by_hand(one, each) for each in many], abs=1e-12)


def test_products_of_the_largest_numbers_are_exact() -> None:
    one, *many = embeddings(100 + np.abs(clouds(9, 8, 4096)))
    products = as_rows(many)._dots(one, np.arange(7)).tolist()
    mine = one.numbers.astype(np.int64)
    assert products == [int(mine @ each.numbers.astype(np.int64)) for each in many]
    assert min(products) > 2**24


@pytest.mark.parametrize("dimensions", [8, 64, 384, 1024])
def test_no_nearness_is_above_its_ceiling_and_hardly_one_is_cut_by_it(dimensions: int) -> None:
    asking, many = embeddings(clouds(2, 3, dimensions)), embeddings(clouds(2, 500, dimensions))
    rows, slots = as_rows(many), np.arange(500)
    cut = 0
    for one in asking:
        near, ceilings = rows.nearness(one, slots)[0], rows.ceilings(one, slots)[0]
        assert (near <= ceilings).all()
        cut += int((np.abs(near - [by_hand(one, each) for each in many]) > 1e-9).sum())
    assert cut <= 1


def test_signatures_of_384_planes_keep_most_strangers_out() -> None:
    chance = np.random.default_rng(3)
    one, *many = embeddings(chance.standard_normal((3001, 768)))
    ceilings = as_rows(many).ceilings(one, np.arange(3000))[0]
    assert ceilings.mean() < 0.3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([8, 65, 400, 1100]))
def test_a_pair_is_as_near_alone_as_among_others_and_from_either_side(
    seed: int, dimensions: int
) -> None:
    one, *many = embeddings(clouds(seed, 40, dimensions))
    together = as_rows(many).nearness(one, np.arange(39))[0].tolist()
    assert [as_rows([each]).nearness(one, np.array([0]))[0][0] for each in many] == together
    assert [as_rows([one]).nearness(each, np.array([0]))[0][0] for each in many] == together


def test_slots_without_an_embedding_are_unknown() -> None:
    one, other = embeddings(clouds(4, 2, 16))
    rows = EmbeddingRows()
    assert rows.nearness(one, np.arange(3))[1].tolist() == [False] * 3
    rows.put(1, other)
    assert rows.nearness(one, np.arange(300))[1].nonzero()[0].tolist() == [1]
    assert not rows.nearness(None, np.arange(3))[1].any()
    found = rows.get(1)
    assert found is not None
    assert (found.numbers == other.numbers).all()
    assert (found.signature == other.signature).all()
    rows.drop(1)
    assert rows.get(1) is None
    assert not rows.ceilings(one, np.arange(3))[1].any()


def test_unusable_answers_are_refused() -> None:
    good = np.ones((2, 8), np.float32)
    assert pack_embeddings(good, 2, 8) == [b"\x7f" * 8] * 2
    for count, dimensions in ((3, 8), (2, 16)):
        with pytest.raises(EmbedderError, match=f"wanted {count} vectors of {dimensions}"):
            pack_embeddings(good, count, dimensions)
    for wrong in (np.nan, np.inf, 0.0):
        bad = good.copy()
        bad[1] = wrong
        with pytest.raises(TextRefusedError):
            pack_embeddings(bad, 2, 8)


# --- the engine ---


def direction(word: str) -> np.ndarray:
    return np.random.default_rng(WORDS.index(word) if word in WORDS else len(word)).standard_normal(
        64
    )


def packed(text: str) -> bytes:
    """The mean direction of the words; who is dried is a dryer here."""
    rows = [direction(word.replace("drying", "dryer")) for word in text.split()]
    return pack_embeddings(np.array([sum(rows)], np.float32), 1, 64)[0]


def with_embedder(**relevance: float) -> Engine:
    """An engine that looks at embeddings, by the shipped weights or others."""
    engine = Engine(_weights(**relevance) if relevance else None, year=2026)
    engine.use("words@1/64")
    return engine


def _weights(**relevance: float) -> Any:
    from importlib.resources import files

    text = files("svc_matching.engine").joinpath("weights.toml").read_text("utf-8")
    for name, weight in relevance.items():
        old = load_weights().relevance[COMPONENTS.index(name)]
        assert f"\n{name} = {old:.2f}\n" in text
        text = text.replace(f"\n{name} = {old:.2f}\n", f"\n{name} = {weight}\n", 1)
    return parse_weights(text)


def put_demand(engine: Engine, text: str, *, embed: bool = True, **given: Any) -> None:
    profile = DemandProfile(title=text, language="en", **given)
    views = views_of(profile)
    engine.put_demand(DEMAND, demand_facts(profile, views), views)
    if embed:
        engine.embed({DEMAND: packed(text)})


def put_supply(engine: Engine, number: int, text: str, *, embed: bool = True, **given: Any) -> UUID:
    supply_id = UUID(int=1000 + number)
    profile = SupplyProfile(title=text, language="en", **given)
    views = views_of(profile)
    facts = supply_facts(profile, SupplyStatus.PUBLISHED, views)
    engine.put_supply(supply_id, facts, views)
    if embed:
        engine.embed({supply_id: packed(text)})
    return supply_id


def keys(pairs: Any) -> list[tuple[UUID, int]]:
    return [(pair.supply_id, pair.score) for pair in pairs]


texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
offers = st.tuples(
    texts,
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={"trl": st.integers(1, 9), "fields": st.just(["2.11"]), "country": st.just("JP")},
    ),
)
WANTED: dict[str, Any] = {"fields": ["2.11"], "trl_min": 4, "excluded_countries": ["JP"]}


def everything(engine: Engine) -> Any:
    ranking = engine.rank(DEMAND)
    features = pack_features(ranking.listed, engine.weights)
    kept = [pair[:4] for pair in (*ranking.listed, *ranking.missed)]
    return kept, ranking.witness and ranking.witness[:4], features


@settings(max_examples=40, deadline=None)
@given(texts, st.lists(offers, min_size=1, max_size=30))
def test_a_weight_of_nothing_or_embeddings_of_nobody_change_nothing(
    wanted: str, chosen: list[tuple[str, bool, dict[str, Any]]]
) -> None:
    without, unweighted = Engine(year=2026), with_embedder(terms=0.75, dense=0.0)
    for engine in (without, unweighted):
        put_demand(engine, wanted, embed=engine is unweighted, **WANTED)
        for number, (text, _, facts) in enumerate(chosen):
            put_supply(engine, number, text, embed=engine is unweighted, **facts)
    assert everything(without) == everything(unweighted)
    assert without.weights.relevance[0] == 0.75


@settings(max_examples=40, deadline=None)
@given(texts, st.lists(offers, min_size=1, max_size=30))
def test_contributions_add_up_with_and_without_an_embedding(
    wanted: str, chosen: list[tuple[str, bool, dict[str, Any]]]
) -> None:
    engine = with_embedder()
    put_demand(engine, wanted, **WANTED)
    embedded = {}
    for number, (text, embed, facts) in enumerate(chosen):
        embedded[put_supply(engine, number, text, embed=embed, **facts)] = embed
    listed = engine.rank(DEMAND).listed
    for pair, features in zip(listed, pack_features(listed, engine.weights), strict=True):
        components = components_of(features.components)
        assert sum(round(1e6 * each.contribution) for each in components) == pair.score
        assert sum(each.weight for each in components) == pytest.approx(1, abs=1e-5)
        (dense,) = (each for each in components if each.name == "dense")
        assert dense.known is embedded[pair.supply_id]
        assert dense.known or dense.contribution == dense.weight == 0


def test_without_an_embedder_a_match_has_no_such_component() -> None:
    engine = Engine(year=2026)
    put_demand(engine, "tea dryer")
    put_supply(engine, 1, "tea dryer")
    listed = engine.rank(DEMAND).listed
    (features,) = pack_features(listed, engine.weights)
    names = [each.name for each in components_of(features.components)]
    assert names == [name for name in COMPONENTS if name != "dense"]
    engine.use("words@1/64")
    (features,) = pack_features(engine.rank(DEMAND).listed, engine.weights)
    assert [each.name for each in components_of(features.components)] == list(COMPONENTS)


def test_values_are_read_from_rows_with_and_without_an_embedding() -> None:
    engine = with_embedder()
    put_demand(engine, "tea dryer")
    put_supply(engine, 1, "tea dryer")
    (features,) = pack_features(engine.rank(DEMAND).listed, engine.weights)
    values = dict(zip(COMPONENTS, values_of(features.components), strict=True))
    assert values["dense"] == 1_000_000
    engine.use(None)
    (features,) = pack_features(engine.rank(DEMAND).listed, engine.weights)
    without = dict(zip(COMPONENTS, values_of(features.components), strict=True))
    assert without == values | {"dense": None}
    assert without["terms"] == 1_000_000
    assert without["language"] == 1_000_000


def test_meaning_lifts_a_supply_by_its_weight() -> None:
    engine = with_embedder()
    put_demand(engine, "tea dryer")
    same = put_supply(engine, 1, "drying tea", embed=True)
    other = put_supply(engine, 2, "drying tea", embed=False)
    scores = dict(keys(engine.rank(DEMAND).listed))
    plain = Engine(year=2026)
    put_demand(plain, "tea dryer")
    put_supply(plain, 1, "drying tea")
    assert scores[same] > scores[other] == dict(keys(plain.rank(DEMAND).listed))[same]


@settings(max_examples=25, deadline=None)
@given(
    texts,
    st.lists(offers, min_size=25, max_size=60),
    st.lists(st.tuples(st.integers(0, 59), st.one_of(st.none(), offers)), max_size=12),
)
def test_lists_kept_up_to_date_equal_lists_rebuilt(
    wanted: str,
    chosen: list[tuple[str, bool, dict[str, Any]]],
    changes: list[tuple[int, tuple[str, bool, dict[str, Any]] | None]],
) -> None:
    engine = with_embedder()
    for number, (text, embed, facts) in enumerate(chosen[:30]):
        put_supply(engine, number, text, embed=embed, **facts)
    statistics = engine.freeze(1)
    engine.adopt(statistics)
    put_demand(engine, wanted, **WANTED)
    kept = engine.rank(DEMAND)
    engine.set_bar(DEMAND, engine.bar(kept))
    now = dict(enumerate(chosen[:30]))
    later: list[Any] = [*list(enumerate(chosen))[30:], *changes]
    for number, offer in later:
        supply_id, held = (
            UUID(int=1000 + number),
            {p.supply_id for p in (*kept.listed, *kept.missed)},
        )
        held |= {kept.witness.supply_id} if kept.witness else set()
        if offer is None:
            engine.drop_supply(supply_id)
            now.pop(number, None)
        else:
            put_supply(engine, number, offer[0], embed=offer[1], **offer[2])
            now[number] = offer
        if supply_id in held or DEMAND in engine.concerned([supply_id]):
            changed = frozenset({supply_id})
            merged = engine.merge(kept, changed, engine.score(DEMAND, changed))
            kept = merged or engine.rank(DEMAND)
            engine.set_bar(DEMAND, engine.bar(kept))
    rebuilt = with_embedder()
    put_demand(rebuilt, wanted, **WANTED)
    order = list(now.items())
    random.Random(len(order)).shuffle(order)
    for number, (text, embed, facts) in order:
        put_supply(rebuilt, number, text, embed=embed, **facts)
    rebuilt.adopt(type(statistics).load(1, statistics.dump(engine.lexicon), rebuilt.lexicon))
    anew = rebuilt.rank(DEMAND)
    assert keys(kept.listed) == keys(anew.listed)
    assert [p.supply_id for p in kept.missed] == [p.supply_id for p in anew.missed]
    assert (kept.witness and kept.witness.miss_key) == (anew.witness and anew.witness.miss_key)
    assert [p.relevance for p in kept.listed] == [p.relevance for p in anew.listed]


def test_a_supply_near_in_meaning_alone_concerns_a_demand_whose_list_is_full() -> None:
    engine = with_embedder()
    put_demand(engine, "tea dryer")
    for number in range(25):
        put_supply(engine, number, "tea", embed=False, description="wood rice " * 200)
    ranking = engine.rank(DEMAND)
    engine.set_bar(DEMAND, engine.bar(ranking))
    assert 10_000 < engine.bar(ranking).lowest < 250_000
    newcomer = put_supply(engine, 99, "Pangering godhong", embed=False)
    assert engine.concerned([newcomer]) == {}
    engine.embed({newcomer: packed("tea dryer")})
    assert engine.concerned([newcomer]) == {DEMAND: {newcomer}}
    assert newcomer in dict(keys(engine.rank(DEMAND).listed))


def test_ceilings_leave_nobody_out() -> None:
    chance, engine = random.Random(7), with_embedder()
    put_demand(engine, "tea dryer pump", trl_min=4)
    for number in range(1500):
        words = chance.choices(WORDS, k=chance.randint(1, 6))
        put_supply(engine, number, " ".join(words), trl=chance.randint(1, 9))
    engine.adopt(engine.freeze(1))
    every = engine.score(DEMAND, [UUID(int=1000 + number) for number in range(1500)])
    best = sorted((p for p in every if p.passes), key=lambda p: p.rank_key)[:20]
    missed = sorted(
        (p for p in every if p.reasons and p.relevance >= 320_000), key=lambda p: p.miss_key
    )[:10]
    ranking = engine.rank(DEMAND)
    assert keys(ranking.listed) == keys(best)
    assert [p.supply_id for p in ranking.missed] == [p.supply_id for p in missed]


def test_a_pair_below_the_floor_is_not_listed_because_of_its_ceiling() -> None:
    engine = with_embedder()
    put_demand(engine, "tea dryer")
    # 64 planes bound little: the ceilings of strangers are high.
    for number in range(40):
        put_supply(engine, number, "wood" * (number + 1))
    listed: tuple[Pair, ...] = engine.rank(DEMAND).listed
    assert all(pair.relevance >= 10_000 for pair in listed)
    assert len(listed) < 20


def test_another_embedder_starts_from_nothing() -> None:
    engine = with_embedder()
    put_demand(engine, "tea dryer")
    put_supply(engine, 1, "tea dryer")
    engine.use(None)
    plain = everything(engine)
    engine.use("others@1/32")
    other = pack_embeddings(np.ones((1, 32), np.float32), 1, 32)[0]
    engine.embed({DEMAND: other, UUID(int=1001): other, UUID(int=77): other})
    assert everything(engine) != plain
    engine.use(None)
    assert everything(engine) == plain
