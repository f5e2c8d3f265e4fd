"""Capacity prices: fewer lists are led by the same few, for hardly any score, and openly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svc_matching.engine.prices import HIGHEST, NOBODY, TOP, Lists, clear
from svc_matching.storage import tables
from svc_matching.usecases import epochs
from svc_matching.usecases.epochs import freeze_when_due, rank_pending
from svc_matching.usecases.lists import rank_lists
from svc_matching.usecases.prices import Market, keep_prices

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]


def congested(seed: int) -> tuple[Lists, Any]:
    """Lists of 20 from 3,000 supplies of which some are liked by everybody, and capacities."""
    draw = np.random.default_rng(seed)
    supplies, demands = 3_000, 2_000
    liked = 0.025 * draw.gumbel(size=supplies)
    rows = []
    for _ in range(demands):
        met = draw.choice(supplies, 300, replace=False)
        scores = np.clip(0.35 + 0.08 * draw.standard_normal(300) + liked[met], 0, 1)
        best = np.argsort(-scores)[:20]
        rows.append((met[best], np.rint(1e6 * scores[best]).astype(np.int64)))
    lists = Lists(np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
    return lists, draw.integers(2, 38, supplies)


def led(lists: Lists, prices: Any) -> tuple[Any, float]:
    """Return how many lists each supply leads, and the mean score of those places."""
    leading = lists.leading(prices)
    counts = np.bincount(lists.supplies[leading], minlength=len(prices))
    return counts, float(lists.scores[leading].sum() / max(1, leading.sum()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_congested_market_is_relieved_for_hardly_any_score(seed: int) -> None:
    lists, capacities = congested(seed)
    prices = clear(lists, capacities)
    before, mean_before = led(lists, np.zeros_like(prices))
    after, mean_after = led(lists, prices)
    above_before = np.maximum(before - capacities, 0).sum() / before.sum()
    above_after = np.maximum(after - capacities, 0).sum() / after.sum()
    assert above_before > 0.08
    assert above_after < above_before / 4
    assert after.max() < before.max()
    assert mean_after > 0.99 * mean_before


MARKETS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 1_000_000)),
        unique_by=lambda pair: pair[0],
        max_size=20,
    ),
    max_size=30,
)


def market_of(lists: list[list[tuple[int, int]]]) -> Market:
    market = Market()
    for demand, pairs in enumerate(lists):
        market.add((UUID(int=demand), UUID(int=supply), score) for supply, score in pairs)
    return market


@settings(deadline=None)
@given(MARKETS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_prices_are_bounded_and_the_same_in_any_order(
    lists: list[list[tuple[int, int]]], usual: int, random: Any
) -> None:
    prices = market_of(lists).prices({UUID(int=3): 1}, usual)
    assert all(0 < price <= HIGHEST for price in prices.values())
    for pairs in lists:
        random.shuffle(pairs)
    random.shuffle(lists)
    assert market_of(lists).prices({UUID(int=3): 1}, usual) == prices


@settings(deadline=None)
@given(MARKETS)
def test_prices_never_crowd_the_market_more(given_lists: list[list[tuple[int, int]]]) -> None:
    supplies = np.full((len(given_lists), 20), NOBODY)
    scores = np.zeros((len(given_lists), 20), np.int64)
    for row, pairs in enumerate(given_lists):
        for place, (supply, score) in enumerate(pairs):
            supplies[row, place], scores[row, place] = supply, score
    lists, capacities = Lists(supplies, scores), np.full(31, 2)
    before, _ = led(lists, np.zeros(31, np.int64))
    prices = clear(lists, capacities)
    after, _ = led(lists, prices)
    assert np.maximum(after - capacities, 0).sum() <= np.maximum(before - capacities, 0).sum()
    if (before <= capacities).all():
        assert not prices.any()


def crowd(others: int) -> list[list[tuple[int, int]]]:
    """Twenty demands that like the same five best, each with others of its own behind them."""
    liked = [(number, 900_000 - number) for number in range(TOP)]
    return [
        [*liked, *((TOP + others * row + n, 890_000 - 2_000 * row - n) for n in range(others))]
        for row in range(20)
    ]


def test_a_list_without_a_choice_makes_nobody_dearer() -> None:
    assert market_of(crowd(0)).prices({}, 1) == {}
    assert market_of(crowd(1)).prices({}, 1) != {}
    # Such lists are load all the same: who leads many of them gives way where it can.
    few = crowd(1)[:TOP]
    assert market_of(few).prices({}, 1) == {}
    assert market_of(few + crowd(0)).prices({}, 1) != {}
    alone = [[(number, 0) for number in range(100, 100 + TOP)]] * 20
    assert max(market_of(few + crowd(0) + alone).prices({}, 1), default=None) < UUID(int=100)


def test_a_supply_that_can_serve_them_all_costs_nothing() -> None:
    assert UUID(int=0) in market_of(crowd(3)).prices({}, 1)
    assert UUID(int=0) not in market_of(crowd(3)).prices({UUID(int=0): 4}, 1)


async def nothing(_: Any) -> bool:
    return False


@pytest.fixture
async def crowded(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[UUID]]:
    """Twelve demands that all like the same five supplies best, in an epoch with prices.

    Each has five supplies of the country it prefers behind them, dearer from demand to demand.
    Supplies are taken to serve one transfer at a time; one of the liked says that it serves 100.
    """
    # The service's own loop leaves the prices to the test.
    monkeypatch.setattr(epochs, "keep_prices", nothing)
    matcher = world.transactions.matcher
    matcher.usual_capacity = 1
    budget = 1_000_000_000
    countries = ["KR", "JP", "CN", "DE", "FR", "IT", "US", "IN", "TH", "SG", "AU", "CH"]
    demands, offers = [], []
    for number, country in enumerate(countries):
        demands.append(
            world.demand(
                trl_min=6,
                budget={"max": budget, "currency": "VND"},
                preferred_countries=[country],
            )
        )
        price = {"min": budget * (13 + number) // 10, "currency": "VND"}
        offers += [world.supply(trl=9, country=country, price=price) for _ in range(5)]
    offers += [
        world.supply(trl=9, price={"min": budget, "currency": "VND"}, capacity=capacity)
        for capacity in (100, None, None, None, None)
    ]
    await world.tell(*offers, *demands)
    await new_epoch(world)
    yield [demand.aggregate_id for demand in demands]
    matcher.usual_capacity = None


async def new_epoch(world: World) -> None:
    world.transactions.matcher.rules_changed = True
    await freeze_when_due(world.transactions)
    while await rank_pending(world.transactions):
        pass
    world.transactions.matcher.has_pending = False


async def pages(ask: Ask, path: str, size: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {"limit": size} | ({"cursor": cursor} if cursor else {})
        page = (await ask(path, params=params)).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def line(item: dict[str, Any]) -> dict[str, Any] | None:
    lines = [part for part in item["components"] if part["name"] == "capacity_price"]
    assert len(lines) <= 1
    return lines[0] if lines else None


async def test_readers_see_the_price_as_a_line_of_its_own(
    world: World, ask: Ask, crowded: list[UUID]
) -> None:
    path = f"/v1/demands/{crowded[0]}/matches"
    before = await pages(ask, path, 100)
    stored, states = await world.rows(tables.match), await world.rows(tables.demand_state)
    assert all(line(item) is None for item in before)
    assert await keep_prices(world.transactions)
    after = await pages(ask, path, 100)
    assert {item["id"] for item in after} == {item["id"] for item in before}
    assert [item["supply_id"] for item in after] != [item["supply_id"] for item in before]
    assert [item["rank"] for item in after] == list(range(1, len(after) + 1))
    assert after == sorted(after, key=lambda item: (-item["score"], item["supply_id"]))
    free = {item["supply_id"]: item["score"] for item in before}
    charged = [item for item in after if line(item) is not None]
    assert charged
    for item in after:
        total = sum(round(1e6 * part["contribution"]) for part in item["components"])
        assert total == round(1e6 * item["score"])
        assert sum(part["weight"] for part in item["components"]) == pytest.approx(1, abs=1e-4)
        price = line(item)
        assert (price is not None) == (
            "lists than it can serve" in item["explanation"]["text"]["en"]
        )
        if price is None:
            assert item["score"] == free[item["supply_id"]]
        else:
            assert (price["family"], price["weight"]) == ("MARKET", 0)
            off = free[item["supply_id"]] + price["contribution"]
            assert item["score"] == pytest.approx(off, abs=1e-9)
            assert f"{price['value']:.6f}" in item["explanation"]["text"]["en"]
    # What the engine goes on from is as it was.
    assert await world.rows(tables.match) == stored
    assert await world.rows(tables.demand_state) == states


async def test_fewer_lists_are_led_by_the_liked_and_capacity_of_the_profile_counts(
    world: World, ask: Ask, crowded: list[UUID]
) -> None:
    async def count() -> dict[str, int]:
        counts: dict[str, int] = {}
        for demand_id in crowded:
            for item in await pages(ask, f"/v1/demands/{demand_id}/matches", 100):
                counts[item["supply_id"]] = counts.get(item["supply_id"], 0) + (item["rank"] <= TOP)
        return counts

    before = await count()
    assert sorted(before.values())[-5:] == [12] * 5
    assert sum(before.values()) == 12 * TOP
    await keep_prices(world.transactions)
    after = await count()
    items = await world.rows(tables.item)
    (able,) = [str(row.id) for row in items if row.profile.get("capacity") == 100]
    assert after[able] == 12
    assert sum(after.values()) == 12 * TOP
    assert _above(after, able) < _above(before, able) / 2


def _above(counts: dict[str, int], able: str) -> int:
    """Return the places above the capacity of one transfer at a time."""
    return sum(max(0, led - TOP) for supply_id, led in counts.items() if supply_id != able)


async def test_every_way_to_read_shows_the_same_priced_place(
    world: World, ask: Ask, crowded: list[UUID]
) -> None:
    await keep_prices(world.transactions)
    path = f"/v1/demands/{crowded[3]}/matches"
    whole = await pages(ask, path, 100)
    assert [item["id"] for item in await pages(ask, path, 4)] == [item["id"] for item in whole]
    dear = next(item for item in whole if line(item))
    alone = (await ask(f"/v1/matches/{dear['id']}")).json()
    assert (alone["rank"], alone["score"]) == (dear["rank"], dear["score"])
    sold = await pages(ask, f"/v1/supplies/{dear['supply_id']}/matches", 5)
    assert len(sold) == len(crowded)
    scores = [item["score"] for item in sold]
    assert scores == sorted(scores, reverse=True)
    (same,) = [item for item in sold if item["id"] == dear["id"]]
    assert (same["rank"], same["score"]) == (dear["rank"], dear["score"])


async def test_a_preview_is_priced_like_the_list(
    world: World,
    ask: Ask,
    crowded: list[UUID],
    client: httpx.AsyncClient,
    authorization: Callable[..., dict[str, str]],
) -> None:
    await keep_prices(world.transactions)
    listed = await pages(ask, f"/v1/demands/{crowded[0]}/matches", 100)
    (copy,) = [row for row in await world.rows(tables.item) if row.id == crowded[0]]
    names = ("title", "description", "language", "trl_min", "budget", "preferred_countries")
    asked = {name: copy.profile[name] for name in names}
    answer = await client.post(
        "/v1/match-preview", json={"demand": asked, "limit": 7}, headers=authorization("enterprise")
    )
    assert answer.status_code == 200, answer.text
    keys = ("supply_id", "rank", "score", "components")
    assert [[item[key] for key in keys] for item in answer.json()["items"]] == [
        [item[key] for key in keys] for item in listed[:7]
    ]


async def test_lists_ranked_anew_in_the_epoch_are_what_they_were(
    world: World, crowded: list[UUID]
) -> None:
    await keep_prices(world.transactions)
    before = sorted((r.demand_id, r.supply_id, r.score) for r in await world.rows(tables.match))
    async with world.transactions.begin() as work:
        await rank_lists(work, world.transactions.matcher, crowded)
    after = sorted((r.demand_id, r.supply_id, r.score) for r in await world.rows(tables.match))
    assert after == before


async def test_an_epoch_is_priced_once_and_only_when_all_lists_are_ranked(
    world: World, crowded: list[UUID]
) -> None:
    matcher = world.transactions.matcher
    matcher.has_pending = True
    assert not await keep_prices(world.transactions)
    assert await world.rows(tables.price) == []
    matcher.has_pending = False
    assert await keep_prices(world.transactions)
    first = await world.rows(tables.price)
    matcher.priced_epoch = None
    assert not await keep_prices(world.transactions)
    for _ in range(2):
        await new_epoch(world)
        await keep_prices(world.transactions)
    kept = await world.rows(tables.price)
    numbers = {row.index_epoch for row in kept}
    assert len(numbers) == 2
    assert {row.index_epoch for row in first}.isdisjoint(numbers)


async def test_without_the_setting_there_are_no_prices_and_old_ones_go(
    world: World, ask: Ask, crowded: list[UUID]
) -> None:
    await keep_prices(world.transactions)
    matcher = world.transactions.matcher
    matcher.usual_capacity, matcher.priced_epoch = None, None
    assert not await keep_prices(world.transactions)
    assert await world.rows(tables.price) == []
    items = await pages(ask, f"/v1/demands/{crowded[0]}/matches", 100)
    assert all(line(item) is None for item in items)
    matcher.usual_capacity, matcher.priced_epoch = 1, None
    assert await keep_prices(world.transactions)


async def test_the_service_prices_its_epochs_by_itself(world: World) -> None:
    matcher = world.transactions.matcher
    matcher.usual_capacity, matcher.priced_epoch = 5, None
    try:
        await world.tell(world.supply(), world.demand())
        matcher.rules_changed = True
        async with asyncio.timeout(10):
            while not [row for row in await world.rows(tables.epoch) if row.priced_at]:
                await asyncio.sleep(0.02)
    finally:
        matcher.usual_capacity = None
