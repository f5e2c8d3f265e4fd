"""Inside an epoch, lists kept up to date are bit by bit those of an index made anew."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import DemandFacts, SupplyFacts, demand_facts, supply_facts
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.views import View, views_of

WORDS = {
    "vi": ["máy", "sấy", "chè", "bơm nhiệt", "lúa", "cà phê", "gỗ", "tôm", "lò hơi", "rô bốt"],
    "en": ["machine", "drying", "tea", "heat pump", "rice", "coffee", "wood", "shrimp", "boiler"],
    "ko": ["녹차", "건조기", "펌프", "쌀", "커피", "목재"],
}
STATUSES = [SupplyStatus.PUBLISHED, SupplyStatus.ON_HOLD, SupplyStatus.EXPIRED]
TEXTS, SUPPLIES, DEMANDS = 120, 150, 10
EVENTS, EVERY = 10_000, 1_000


def _text(dice: random.Random) -> dict[str, Any]:
    language = dice.choices(list(WORDS), [5, 4, 1])[0]
    words = " ".join(dice.choices(WORDS[language], k=dice.randint(2, 9)))
    title = words if dice.random() < 0.9 or language != "vi" else "say che bom nhiet"
    english = " ".join(dice.choices(WORDS["en"], k=4))
    translated = language != "en" and dice.random() < 0.2
    return {
        "title": title,
        "language": language,
        "fields": dice.choice([[], ["2.11"], ["2.11", "4.1"], ["2.3"]]),
        "industries": dice.choice([[], ["1079"], ["2825"]]),
        "ipc": dice.choice([[], ["A23F 3/06"], ["F26B 17/04"]]),
    } | ({"translations": {"en": {"title": english}}} if translated else {})


@cache
def _offers() -> list[tuple[SupplyProfile, tuple[View, ...]]]:
    dice, found = random.Random(1), []
    for _ in range(TEXTS):
        given = _text(dice) | {
            "trl": dice.choice([None, 3, 6, 9]),
            "country": dice.choice([None, "VN", "KR", "JP"]),
            "price": dice.choice([None, {"min": 10**8 * dice.randint(1, 20), "currency": "VND"}]),
            "requires": dice.choice([None, {"skills": dice.randint(1, 5)}]),
            "specifications": dice.choice(
                [[], [{"name": "capacity", "min": dice.randint(1, 9), "unit": "t/h"}]]
            ),
        }
        profile = SupplyProfile(**given)
        found.append((profile, views_of(profile)))
    return found


@cache
def _wishes() -> list[tuple[DemandFacts, tuple[View, ...]]]:
    dice, found = random.Random(2), []
    for _ in range(TEXTS):
        given = _text(dice) | {
            "trl_min": dice.choice([None, 4, 7]),
            "excluded_countries": dice.choice([[], ["JP"]]),
            "budget": dice.choice([None, {"max": 10**9, "currency": "VND"}]),
            "absorption": dice.choice([None, {"skills": 3}]),
            "requirements": dice.choice(
                [[], [{"name": "capacity", "min": 5, "unit": "t/h", "must": True}]]
            ),
        }
        profile = DemandProfile(**given)
        views = views_of(profile)
        found.append((demand_facts(profile, views), views))
    return found


@cache
def _offered(text: int, status: SupplyStatus) -> tuple[SupplyFacts, tuple[View, ...]]:
    profile, views = _offers()[text]
    return supply_facts(profile, status, views), views


@dataclass
class Market:
    """An engine with its lists kept as the service keeps them, and what is in it."""

    engine: Engine = field(default_factory=lambda: Engine(year=2026))
    supplies: dict[UUID, tuple[int, SupplyStatus]] = field(default_factory=dict)
    demands: dict[UUID, int] = field(default_factory=dict)
    lists: dict[UUID, Ranking] = field(default_factory=dict)

    def supply(self, number: int, text: int, status: SupplyStatus | None) -> None:
        """Publish, change, hold or expire a supply; withdraw it without a status."""
        supply_id, changed = UUID(int=1000 + number), frozenset({UUID(int=1000 + number)})
        if status is None:
            self.supplies.pop(supply_id, None)
            self.engine.drop_supply(supply_id)
        else:
            self.supplies[supply_id] = text, status
            self.engine.put_supply(supply_id, *_offered(text, status))
        concerned = self.engine.concerned(changed)
        for demand_id, old in self.lists.items():
            if supply_id in _held(old):
                concerned.setdefault(demand_id, set())
        fresh = self.engine.score_many(concerned)
        merged = {
            demand_id: self.engine.merge(self.lists[demand_id], changed, fresh[demand_id])
            for demand_id in concerned
        }
        short = [demand_id for demand_id, ranking in merged.items() if ranking is None]
        ranked = dict(zip(short, self.engine.rank_many(short), strict=True))
        for demand_id, ranking in merged.items():
            self._keep(demand_id, ranking or ranked[demand_id])

    def demand(self, number: int, text: int, *, is_open: bool) -> None:
        """Publish or change a demand, or close it."""
        demand_id = UUID(int=1 + number)
        if is_open:
            self.demands[demand_id] = text
            self.engine.put_demand(demand_id, *_wishes()[text])
            self._keep(demand_id, self.engine.rank(demand_id))
        else:
            self.demands.pop(demand_id, None)
            self.lists.pop(demand_id, None)
            self.engine.drop_demand(demand_id)

    def _keep(self, demand_id: UUID, ranking: Ranking) -> None:
        self.lists[demand_id] = ranking
        self.engine.set_bar(demand_id, self.engine.bar(ranking))

    def freeze(self, epoch: int) -> None:
        self.engine.adopt(self.engine.freeze(epoch))
        for demand_id in self.demands:
            self._keep(demand_id, self.engine.rank(demand_id))

    def rebuilt(self) -> Engine:
        """Return an engine of the same items and statistics that has seen no event."""
        engine, old = Engine(year=2026), self.engine
        for supply_id, (text, status) in sorted(self.supplies.items()):
            engine.put_supply(supply_id, *_offered(text, status), weigh=False)
        stored = old.statistics.dump(old.lexicon)
        engine.adopt(Statistics.load(old.statistics.epoch, stored, engine.lexicon))
        for demand_id, text in self.demands.items():
            engine.put_demand(demand_id, *_wishes()[text])
        return engine

    def check(self) -> None:
        rebuilt = self.rebuilt()
        for demand_id, kept in self.lists.items():
            anew = self.engine.rank(demand_id)
            assert _content(rebuilt.rank(demand_id)) == _content(anew)
            assert _content(kept) == _content(anew)
            every = {pair.supply_id: pair for pair in self.engine.score(demand_id, self.supplies)}
            for pair in (*anew.listed, *anew.missed):
                assert _numbers(every[pair.supply_id]) == _numbers(pair)


def _held(ranking: Ranking) -> Iterator[UUID]:
    for pair in (*ranking.listed, *ranking.missed):
        yield pair.supply_id
    if ranking.witness:
        yield ranking.witness.supply_id


def _numbers(pair: Pair) -> tuple[UUID, int, int, int]:
    return pair.supply_id, pair.score, pair.relevance, pair.reasons


def _content(ranking: Ranking) -> tuple[list[Any], list[Any], Any]:
    """Return what is kept of a list."""
    return (
        [_numbers(pair) for pair in ranking.listed],
        [_numbers(pair) for pair in ranking.missed],
        ranking.witness and (ranking.witness.supply_id, ranking.witness.relevance),
    )


_TEXT = st.integers(0, TEXTS - 1)
_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("supply"), st.integers(0, 40), _TEXT, st.sampled_from([*STATUSES, None])),
        st.tuples(st.just("demand"), st.integers(0, 5), _TEXT, st.booleans()),
    ),
    max_size=60,
)


@settings(max_examples=25, deadline=None)
@given(_EVENTS)
def test_any_events_leave_the_lists_of_an_index_made_anew(events: list[Any]) -> None:
    market = Market()
    for number in range(25):
        market.supply(number, number, SupplyStatus.PUBLISHED)
    market.freeze(1)
    market.demand(0, 0, is_open=True)
    for kind, number, text, what in events:
        if kind == "supply":
            market.supply(number, text, what)
        else:
            market.demand(number, text, is_open=what)
    market.check()


@pytest.mark.timeout(120)
def test_ten_thousand_events_leave_the_lists_of_an_index_made_anew() -> None:
    dice, market = random.Random(20261122), Market()
    for number in range(SUPPLIES // 2):
        market.supply(number, dice.randrange(TEXTS), SupplyStatus.PUBLISHED)
    market.freeze(1)
    for event in range(1, EVENTS + 1):
        if dice.random() < 0.9:
            status = dice.choices([*STATUSES, None], [6, 1, 1, 2])[0]
            market.supply(dice.randrange(SUPPLIES), dice.randrange(TEXTS), status)
        else:
            is_open = dice.random() < 0.8
            market.demand(dice.randrange(DEMANDS), dice.randrange(TEXTS), is_open=is_open)
        if event % EVERY == 0:
            market.check()
        if event == EVENTS // 2:
            market.freeze(2)
    market.check()
