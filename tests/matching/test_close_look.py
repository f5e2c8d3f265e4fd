"""The compiled close look finds, bit by bit, what the rules say in plain words."""

from dataclasses import replace
from itertools import product
from math import inf
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.matches import ReasonCode
from shared.contracts.supplies import SupplyStatus
from shared.contracts.values import (
    Exclusivity,
    TransferForm,
    TransferMethod,
    TransferPart,
    TransferRight,
    TransferScope,
    TransferTerms,
)
from svc_matching.engine.arrays import NEUTRAL
from svc_matching.engine.close_look import code_number
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.facts import NO_TERMS, DemandFacts, SupplyFacts
from svc_matching.engine.gates import BIT, GATE_BITS
from svc_matching.engine.look_types import About
from svc_matching.engine.quantities import Range, fit
from svc_matching.engine.scoring import Block, Scorer
from svc_matching.engine.wants import want_of
from svc_matching.engine.weights import COMPONENTS, LEVELS, load_weights

YEAR = 2026
WEIGHTS = load_weights()
COUNTRIES = ["VN", "KR", "JP", "ZW"]
LANGUAGES = ["vi", "en", "ko", "fr", "yue", "zza"]
DAYS = [739000, 739500, 740000]


def ranges() -> st.SearchStrategy[tuple[Range, ...]]:
    measures = st.sampled_from([("power", "kW"), ("capacity", "kg/h"), ("capacity", "m3")])
    edges = st.sampled_from([0.0, 1.0, 3.0, 7.5, 1e-12, -4.0, 3.0000000001])
    one = st.builds(
        lambda measure, low, wide, must, read: Range(measure, low, low + wide, must, "-", read),
        measures,
        edges | st.just(-inf),
        st.sampled_from([0.0, 0.5, 40.0, inf]),
        st.booleans(),
        st.booleans(),
    ).filter(lambda each: each.low <= each.high)
    return st.lists(one, max_size=4).map(tuple)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def some(kind: Any) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(list(kind)), max_size=3, unique=True)


TERMS = st.just(NO_TERMS) | st.builds(
    TransferTerms,
    scope=maybe(st.sampled_from(TransferScope)),
    right=maybe(st.sampled_from(TransferRight)),
    exclusivity=maybe(st.sampled_from(Exclusivity)),
    parts=some(TransferPart),
    forms=some(TransferForm),
    methods=some(TransferMethod),
)
LEVEL_ROWS = st.tuples(*(maybe(st.integers(1, 5)) for _ in LEVELS))
MONEY = maybe(st.sampled_from([0.0, 1.0, 3e8, 1e9, 1e9 + 1]))
DEMANDS = st.builds(
    DemandFacts,
    fields=st.just(()),
    industries=st.just(()),
    ipc=st.just(()),
    trl_min=maybe(st.integers(1, 9)),
    needs=ranges(),
    transfer=TERMS,
    preferred=st.frozensets(st.sampled_from(COUNTRIES), max_size=2),
    excluded=st.frozensets(st.sampled_from(COUNTRIES), max_size=2),
    accepts_used=maybe(st.booleans()),
    language=maybe(st.sampled_from(LANGUAGES)),
    needed_by=maybe(st.sampled_from(DAYS)),
    budget=st.none(),
    ceiling=MONEY,
    levels=LEVEL_ROWS,
)
SUPPLIES = st.builds(
    SupplyFacts,
    status=st.sampled_from([SupplyStatus.PUBLISHED, SupplyStatus.ON_HOLD, SupplyStatus.EXPIRED]),
    fields=st.just(()),
    industries=st.just(()),
    ipc=st.just(()),
    trl=maybe(st.integers(1, 9)),
    haves=ranges(),
    transfer=TERMS,
    country=maybe(st.sampled_from(COUNTRIES)),
    used=st.booleans(),
    year_made=maybe(st.sampled_from([2015, 2016, 2017])),
    restricted=st.booleans(),
    languages=st.frozensets(st.sampled_from(LANGUAGES), max_size=4),
    language=maybe(st.sampled_from(LANGUAGES)),
    ipr=maybe(st.sampled_from([0.2, 0.3, 0.7, 1.0])),
    until=maybe(st.sampled_from(DAYS)),
    price=st.none(),
    lowest_price=MONEY,
    levels=LEVEL_ROWS,
).map(
    lambda facts: replace(facts, languages=facts.languages | {facts.language} - {None}),
)
SHARES = st.floats(0, 1)
SIDES = st.tuples(*(maybe(SHARES) for _ in range(4)))


# --- the rules in plain words; None is unknown ---


def transfer(demand: TransferTerms, supply: TransferTerms) -> float | None:
    found = []
    for name in ("scope", "right", "exclusivity"):
        wanted, offered = getattr(demand, name), getattr(supply, name)
        if wanted and offered:
            agrees = wanted == offered or "EITHER" in (wanted, offered)
            found.append(1.0 if agrees else 0.4)
    for name in ("forms", "parts", "methods"):
        wanted, offered = set(getattr(demand, name)), set(getattr(supply, name))
        if wanted and offered:
            found.append(len(wanted & offered) / len(wanted))
    total = 0.0
    for each in found:
        total += each
    return total / len(found) if found else None


def language(demand: DemandFacts, supply: SupplyFacts) -> float | None:
    if not demand.language or not supply.language:
        return None
    if demand.language == supply.language:
        return 1.0
    if demand.language in supply.languages:
        return 0.9
    return 0.6 if "en" in supply.languages else 0.3


def price(ceiling: float | None, lowest: float | None) -> float | None:
    if ceiling is None or lowest is None:
        return None
    return 1.0 if lowest <= ceiling else min(ceiling / lowest, 1.0)


def suitability(demand: DemandFacts, supply: SupplyFacts) -> list[float | None]:
    least, trl, met = demand.trl_min, supply.trl, fit(demand.needs, supply.haves)
    margin = None
    if least and trl:
        margin = 0.0 if trl < least else [0.6, 0.8, 1.0][min(trl - least, 2)]
    country = None
    if demand.preferred and supply.country:
        country = 1.0 if supply.country in demand.preferred else 0.3
    deadline = None
    if demand.needed_by and supply.until:
        deadline = 1.0 if supply.until >= demand.needed_by else 0.3
    return [
        margin,
        met.value if met.compared else None,
        transfer(demand.transfer, supply.transfer),
        country,
        language(demand, supply),
        supply.ipr,
        deadline,
    ]


def feasibility(demand: DemandFacts, supply: SupplyFacts) -> list[float | None]:
    levels = [
        1.0 - max(needed - level, 0) / 4 if level and needed else None
        for level, needed in zip(demand.levels, supply.levels, strict=True)
    ]
    return [price(demand.ceiling, supply.lowest_price), *levels]


def reasons(demand: DemandFacts, supply: SupplyFacts) -> set[ReasonCode]:
    wanted, offered = demand.transfer, supply.transfer
    priced = demand.ceiling is not None and supply.lowest_price is not None
    found = {
        ReasonCode.EXPIRED: supply.status is SupplyStatus.EXPIRED,
        ReasonCode.ON_HOLD: supply.status is SupplyStatus.ON_HOLD,
        ReasonCode.LEGAL_RESTRICTED: supply.restricted,
        ReasonCode.EXCLUDED_COUNTRY: supply.country in demand.excluded,
        ReasonCode.USED_NOT_ACCEPTED: supply.used and demand.accepts_used is False,
        ReasonCode.USED_TOO_OLD: supply.used
        and supply.year_made is not None
        and YEAR - supply.year_made > WEIGHTS.used_age_years,
        ReasonCode.TRL_LOW: bool(demand.trl_min and supply.trl and supply.trl < demand.trl_min),
        ReasonCode.RIGHT_MISMATCH: (wanted.right, offered.right) == ("OWNERSHIP", "USE"),
        ReasonCode.EXCLUSIVITY_MISMATCH: (wanted.exclusivity, offered.exclusivity)
        == ("EXCLUSIVE", "NON_EXCLUSIVE"),
        ReasonCode.SCOPE_MISMATCH: (wanted.scope, offered.scope) == ("WHOLE", "PARTIAL"),
        ReasonCode.SPEC_FAILS: bool(fit(demand.needs, supply.haves).missed),
        ReasonCode.BUDGET_SHORT: priced and supply.lowest_price > demand.ceiling,
        ReasonCode.ABSORPTION_SHORT: any(
            level and needed and level < needed
            for level, needed in zip(demand.levels, supply.levels, strict=True)
        ),
    }
    return {code for code, stands in found.items() if stands}


def weighed(weights: tuple[float, ...], values: list[float | None], missing: float) -> float:
    total = 0.0
    for weight, value in zip(weights, values, strict=True):
        total += weight * (missing if value is None else value)
    return total


def expected(
    demand: DemandFacts, supply: SupplyFacts, about: list[float | None]
) -> tuple[list[float], list[bool], float, int, int]:
    suited, feasible = suitability(demand, supply), feasibility(demand, supply)
    relevance = min(weighed(WEIGHTS.relevance, about, about[0] or 0.0), 1.0)
    multiplier = (
        WEIGHTS.base
        + WEIGHTS.suitability_share * weighed(WEIGHTS.suitability, suited, NEUTRAL)
        + WEIGHTS.feasibility_share * weighed(WEIGHTS.feasibility, feasible, NEUTRAL)
    )
    values = [*about, *suited, *feasible]
    return (
        [NEUTRAL if value is None else value for value in values],
        [value is not None for value in values],
        relevance,
        round(1_000_000 * (relevance * min(multiplier, 1.0))),
        sum(BIT[code] for code in reasons(demand, supply)),
    )


# --- the kernels ---


def codes(sides: list[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """A set of codes for each slot that has any, and how near it is."""
    near = np.array([NEUTRAL, *(side for side in sides if side is not None)])
    numbers = np.cumsum([side is not None for side in sides]).astype(np.int32)
    return near, np.where([side is not None for side in sides], numbers, 0).astype(np.int32)


@settings(max_examples=300, deadline=None)
@given(DEMANDS, st.lists(st.tuples(SUPPLIES, SHARES, SIDES), min_size=1, max_size=6))
def test_the_kernel_is_the_rules(
    demand: DemandFacts, offers: list[tuple[SupplyFacts, float, tuple[float | None, ...]]]
) -> None:
    columns = SupplyColumns()
    for slot, (supply, _, _) in enumerate(offers):
        columns.put(slot, supply)
    slots = np.arange(len(offers))[::-1].copy()
    terms = np.array([share for _, share, _ in offers])[slots]
    nears, sets = zip(*(codes([sides[n] for _, _, sides in offers]) for n in range(3)), strict=True)
    dense = [sides[3] for _, _, sides in offers]
    about = About(
        slots,
        terms,
        nears,
        sets,
        np.array([0.0 if each is None else each for each in dense])[slots],
        np.array([each is not None for each in dense])[slots],
    )
    scorer, block = Scorer(columns, WEIGHTS), Block.of(np.concatenate([[0, 0], slots]))
    scorer.look(want_of(demand), demand.needs, about, scorer.formula(YEAR), block, first=2)
    looks = block.looks
    for row, slot in enumerate(slots.tolist(), start=2):
        supply, share, sides = offers[slot]
        found = (
            looks.values[row].tolist(),
            looks.known[row].tolist(),
            looks.relevance[row].item(),
            looks.scores[row].item(),
            looks.reasons[row].item(),
        )
        assert found == expected(demand, supply, [share, *sides])


@given(st.lists(st.tuples(st.integers(0, 9), ranges()), max_size=40))
def test_slots_keep_their_ranges_whatever_comes_and_goes(
    given_ranges: list[tuple[int, tuple[Range, ...]]],
) -> None:
    columns = SupplyColumns()
    columns._ranges._columns = tuple(column[:4] for column in columns._ranges._columns)
    kept: dict[int, tuple[Range, ...]] = {}
    for slot, each in given_ranges:
        columns._ranges.put(slot, each)
        kept[slot] = each
    names = {number: measure for measure, number in columns.measures.items()}
    starts, counts, measures, lows, highs, read = columns.measured
    for slot, each in kept.items():
        assert counts[slot] == len(each)
        places = range(starts[slot], starts[slot] + counts[slot])
        assert [(names[int(measures[n])], lows[n], highs[n], bool(read[n])) for n in places] == [
            (one.measure, one.low, one.high, one.read) for one in each
        ]


ROWS = st.tuples(
    st.integers(0, 3), st.sampled_from([0.0, 0.009, 0.01, 0.32, 0.4, 0.9]), st.sampled_from([0, 1])
)


@settings(deadline=None)
@given(st.lists(st.lists(ROWS, max_size=40), min_size=1, max_size=4))
def test_the_pairs_worth_keeping_are_the_best_of_each_kind_and_all_their_equals(
    demands: list[list[tuple[int, float, int]]],
) -> None:
    rows = [row for each in demands for row in each]
    block = Block.of(np.arange(len(rows)))
    for place, (score, about, kind) in enumerate(rows):
        block.looks.scores[place], block.looks.relevance[place] = score, about
        block.looks.reasons[place] = (
            (0, BIT[ReasonCode.TRL_LOW])[kind] if score else (BIT[ReasonCode.BUDGET_SHORT])
        )
    starts = np.cumsum([0, *map(len, demands)])
    weights = replace(WEIGHTS, list_size=3, near_misses=2)
    found = set(Scorer(SupplyColumns(), weights).promising(block, starts).tolist())

    looks, wanted = block.looks, set()
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        pairs = range(first, last)
        listed = [
            n
            for n in pairs
            if not looks.reasons[n] & GATE_BITS and looks.relevance[n] >= weights.floor
        ]
        near = [n for n in pairs if looks.relevance[n] >= weights.relevant - 1e-6]
        for among, by, count in (
            (listed, looks.scores, 3),
            ([n for n in near if looks.reasons[n]], looks.relevance, 2),
            ([n for n in near if not looks.reasons[n]], looks.relevance, 1),
        ):
            best = sorted((by[n] for n in among), reverse=True)[:count]
            wanted |= {n for n in among if by[n] >= best[-1]}
    assert found == wanted


def test_components_stand_in_the_order_of_the_weights() -> None:
    assert COMPONENTS[5:13] == (
        "trl",
        "quantities",
        "transfer",
        "country",
        "language",
        "ipr",
        "deadline",
        "price",
    )
    assert COMPONENTS[13:] == LEVELS


def test_codes_of_two_and_three_letters_have_numbers_of_their_own() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    every = ["".join(each) for n in (2, 3) for each in product(letters, repeat=n)]
    numbers = {code_number(code) for code in every}
    assert len(numbers) == len(every)
    assert code_number(None) == 0 < min(numbers)
    assert max(numbers) <= np.iinfo(np.int16).max
