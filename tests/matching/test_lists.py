"""Events in, lists and diagnoses out, on a real Postgres and a real NATS."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError

from shared.contracts.events import Event
from svc_matching.consumers.items import supply_handler
from svc_matching.storage import items, tables
from svc_matching.storage.diagnoses import count_pending
from svc_matching.usecases.epochs import freeze_when_due, rank_pending
from svc_matching.usecases.list_writing import DIAGNOSIS_CHANGED, LIST_UPDATED, write_revisions
from svc_matching.usecases.lists import postpone_lists, rank_lists

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

RICE = {
    "title": "Máy sấy lúa tháp",
    "description": "Tháp sấy lúa tuần hoàn, đốt trấu, công suất lớn.",
}


async def listed(ask: Ask, demand: Event) -> list[dict[str, Any]]:
    answer = await ask(f"/v1/demands/{demand.aggregate_id}/matches", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    assert answer.json()["pending"] is False
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def supplies_of(items: Sequence[dict[str, Any]]) -> list[UUID]:
    return [UUID(item["supply_id"]) for item in items]


async def test_a_published_demand_finds_the_supplies_that_were_there(
    world: World, ask: Ask
) -> None:
    tea, rice, demand = world.supply(), world.supply(**RICE), world.demand()
    await world.tell(tea, rice, demand)
    first, *_ = await listed(ask, demand)
    assert first["supply_id"] == str(tea.aggregate_id)
    assert first["rank"] == 1
    assert first["supply"]["title"] == "Lò sấy chè bơm nhiệt"
    shared_words = [concept["demand_text"] for concept in first["explanation"]["matched"]]
    assert "sấy chè" in shared_words
    assert first["explanation"]["text"]["vi"]
    assert first["explanation"]["text"]["en"]


async def test_a_new_supply_enters_the_lists_it_beats(world: World, ask: Ask) -> None:
    demand, weaker = world.demand(), world.supply(**RICE)
    await world.tell(weaker, demand)
    before = await listed(ask, demand)
    tea = world.supply()
    await world.tell(tea)
    after = await listed(ask, demand)
    assert supplies_of(after)[0] == tea.aggregate_id
    assert {item["id"] for item in before} <= {item["id"] for item in after}


async def test_more_lists_than_one_transaction_takes_follow_in_the_next(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    demands = [world.demand() for _ in range(5)]
    await world.tell(world.supply(**RICE), *demands)
    written: list[int] = []

    async def counted(*given: Any) -> None:
        written.append(len(given[2]))
        await write_revisions(*given)

    monkeypatch.setattr("svc_matching.usecases.lists.AT_ONCE", 2)
    monkeypatch.setattr("svc_matching.usecases.lists.write_revisions", counted)
    tea = world.supply()
    await world.tell(tea)
    while await rank_pending(world.transactions):
        pass
    assert (written[0], sum(written)) == (2, 5)
    for each in demands:
        assert tea.aggregate_id in supplies_of(await listed(ask, each))


async def test_while_supplies_flood_in_lists_lose_at_once_and_gain_later(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea, demand, later = world.supply(), world.demand(), world.supply()
    await world.tell(tea, demand)
    matcher = world.transactions.matcher
    monkeypatch.setattr(matcher.flood, "is_on", lambda _: True)
    await world.tell(later)
    assert supplies_of(await listed(ask, demand)) == [tea.aggregate_id]
    async with world.transactions.read() as connection:
        assert await count_pending(connection, matcher.engine.statistics.epoch) == 1
    await world.tell(world.later(tea, "WITHDRAWN"))
    assert await listed(ask, demand) == []
    assert await rank_pending(world.transactions) == 1
    assert supplies_of(await listed(ask, demand)) == [later.aggregate_id]


async def test_what_is_withdrawn_leaves_the_lists_that_wait_for_an_epoch(
    world: World, ask: Ask
) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    matcher = world.transactions.matcher
    async with world.transactions.begin() as work:
        await postpone_lists(work, matcher, [demand.aggregate_id])
        await supply_handler(matcher)(work, [world.later(tea, "WITHDRAWN")])
    assert await listed(ask, demand) == []


async def test_contributions_add_up_to_the_score_through_the_api(world: World, ask: Ask) -> None:
    demand = world.demand(trl_min=6, budget={"max": 10**9, "currency": "VND"})
    await world.tell(world.supply(trl=8, price={"min": 20_000, "currency": "USD"}), demand)
    for item in await listed(ask, demand):
        total = sum(round(part["contribution"] * 1e6) for part in item["components"])
        assert total == round(item["score"] * 1e6)


async def test_the_same_event_twice_makes_one_match_and_one_announcement(world: World) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    await world.tell(tea, demand, demand, tea)
    matches = await world.rows(tables.match)
    assert [(row.demand_id, row.supply_id) for row in matches] == [
        (demand.aggregate_id, tea.aggregate_id)
    ]
    assert len(await world.events(LIST_UPDATED, demand.aggregate_id)) == 1
    assert len(await world.rows(tables.match_run)) == 1


async def test_the_same_state_under_another_event_id_changes_nothing(world: World) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    again = [
        Event(**{name: getattr(event, name) for name in Event.__slots__} | {"id": other.id})
        for event, other in ((tea, world.supply()), (demand, world.demand()))
    ]
    await world.tell(*again)
    assert len(await world.events(LIST_UPDATED, demand.aggregate_id)) == 1


async def test_a_late_old_version_does_not_undo_a_newer_one(world: World, ask: Ask) -> None:
    tea, demand = world.supply(), world.demand()
    withdrawn = world.later(tea, "WITHDRAWN")
    await world.tell(demand, withdrawn, tea)
    assert await listed(ask, demand) == []


async def test_the_table_itself_refuses_an_older_copy(world: World) -> None:
    tea = world.supply(version=3)
    await world.tell(tea)
    (row,) = await world.rows(tables.item)
    older = row._asdict() | {"version": 2, "status": "WITHDRAWN", "profile": "{}"}
    async with world.transactions.begin() as work:
        assert await items.write(work.connection, [older]) == {}
    (after,) = await world.rows(tables.item)
    assert (after.version, after.status) == (3, "PUBLISHED")


async def test_versions_of_a_restored_producer_count_from_its_new_epoch(
    world: World, ask: Ask
) -> None:
    tea, demand = world.supply(version=9), world.demand()
    restored = world.supply("WITHDRAWN", db_epoch=2, id=str(tea.aggregate_id), version=2)
    await world.tell(tea, demand, restored)
    assert await listed(ask, demand) == []


async def test_a_withdrawn_supply_becomes_stale_and_keeps_its_id(world: World, ask: Ask) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    (item,) = await listed(ask, demand)
    on_hold = world.later(tea, "ON_HOLD")
    await world.tell(on_hold)
    assert await listed(ask, demand) == []
    stale = (await ask(f"/v1/matches/{item['id']}")).json()
    assert (stale["state"], stale["rank"]) == ("STALE", 0)
    await world.tell(world.later(on_hold, "PUBLISHED"))
    (back,) = await listed(ask, demand)
    assert (back["id"], back["state"], back["supply_version"]) == (item["id"], "PROPOSED", 3)


async def test_a_full_list_is_refilled_from_behind(world: World, ask: Ask) -> None:
    supplies = [
        world.supply(description=f"Thiết bị sấy chè bơm nhiệt. {'Mẫu mã khác nhau. ' * number}")
        for number in range(25)
    ]
    demand = world.demand()
    await world.tell(*supplies, demand)
    full = await listed(ask, demand)
    assert len(full) == 20
    gone = next(s for s in supplies if s.aggregate_id == supplies_of(full)[0])
    await world.tell(world.later(gone, "WITHDRAWN"))
    refilled = await listed(ask, demand)
    assert len(refilled) == 20
    assert supplies_of(refilled)[:19] == supplies_of(full)[1:]
    assert [item["rank"] for item in refilled] == list(range(1, 21))


async def test_incremental_lists_equal_rebuilt_ones(world: World, ask: Ask) -> None:
    words = ["chè", "lúa", "cà phê", "gỗ", "tôm", "cao su", "hồ tiêu", "thanh long"]
    demands = [
        world.demand(
            title=f"Máy sấy {word}",
            description=f"Cần sấy {word} bằng bơm nhiệt.",
            budget={"max": 500_000_000, "currency": "VND"},
            trl_min=5,
        )
        for word in words
    ]
    supplies = [
        world.supply(
            title=f"Thiết bị sấy {word}",
            description=f"Lò sấy {word} {'bơm nhiệt ' * (number % 4)}, {words[number % 8]}.",
            trl=number % 9 + 1,
            price={"min": 100_000_000 * (number % 9 + 1), "currency": "VND"},
        )
        for number, word in enumerate(words * 6)
    ]
    await world.tell(*supplies[:16], *demands)
    await world.tell(*supplies[16:40])
    await world.tell(*(world.later(s, "WITHDRAWN") for s in supplies[::5]), *supplies[40:])
    await world.tell(*(world.later(s, title="Máy đóng gói chè") for s in supplies[1:40:7]))
    grown = await _everything(world)
    async with world.transactions.begin() as work:
        matcher = world.transactions.matcher
        matcher.loaded = False
        await matcher.prepare(work.connection)
        await rank_lists(work, matcher, [demand.aggregate_id for demand in demands])
    assert await _everything(world) == grown


async def _everything(world: World) -> dict[str, Any]:
    matches = await world.rows(tables.match)
    misses = await world.rows(tables.near_miss)
    states = await world.rows(tables.demand_state)
    return {
        "lists": sorted((r.demand_id, -r.score, r.supply_id) for r in matches if r.listed),
        "misses": sorted((r.demand_id, r.supply_id, r.relevance, r.reasons) for r in misses),
        "diagnoses": sorted((r.demand_id, r.diagnosis, r.reasons) for r in states),
    }


async def test_a_demand_that_is_open_no_longer_leaves_with_its_list(world: World, ask: Ask) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    held = world.later(demand, "ON_HOLD")
    await world.tell(held)
    assert await listed(ask, demand) == []
    assert [row.state for row in await world.rows(tables.match)] == ["STALE"]
    *_, last = await world.events(LIST_UPDATED, demand.aggregate_id)
    assert (last["status"], last["items"]) == ("CLOSED", [])
    better = world.supply(title="Sấy chè bơm nhiệt tiết kiệm năng lượng")
    await world.tell(better)
    assert await listed(ask, demand) == []
    await world.tell(world.later(held, "PUBLISHED"))
    assert set(supplies_of(await listed(ask, demand))) == {tea.aggregate_id, better.aggregate_id}


async def test_list_versions_grow_without_gaps(world: World) -> None:
    demand = world.demand()
    await world.tell(demand)
    for _ in range(3):
        await world.tell(world.supply())
    await world.tell(world.later(demand, title="Sấy chè"))
    versions = [body["version"] for body in await world.events(LIST_UPDATED, demand.aggregate_id)]
    assert versions == [1, 2, 3, 4, 5]


async def test_the_announced_list_is_the_list(world: World, ask: Ask) -> None:
    demand = world.demand(fields=["2.11"])
    await world.tell(demand, world.supply(), world.supply(**RICE))
    *_, told = await world.events(LIST_UPDATED, demand.aggregate_id)
    shown = await listed(ask, demand)
    assert [(e["match_id"], e["rank"], e["score"]) for e in told["items"]] == [
        (item["id"], item["rank"], item["score"]) for item in shown
    ]
    assert (told["province"], told["field"]) == ("19", "2.11")


async def test_the_diagnosis_is_announced_when_it_changes(world: World, ask: Ask) -> None:
    demand = world.demand(budget={"max": 100_000_000, "currency": "VND"})
    await world.tell(demand)
    dear = world.supply(price={"min": 900_000_000, "currency": "VND"})
    await world.tell(dear)
    await world.tell(world.later(dear, price={"min": 90_000_000, "currency": "VND"}))
    told = await world.events(DIAGNOSIS_CHANGED, demand.aggregate_id)
    assert [body["diagnosis"] for body in told] == ["NO_SUPPLY", "NO_RESOURCES", "MATCHED"]
    assert [body["version"] for body in told] == [1, 2, 3]
    assert told[1]["reasons"] == ["BUDGET_SHORT"]


async def test_a_new_epoch_ranks_every_open_demand_again(world: World, ask: Ask) -> None:
    demands = [world.demand(title=f"Sấy chè {number}") for number in range(20)]
    await world.tell(*demands)
    await world.tell(*(world.supply(description=f"Sấy chè kiểu {n}") for n in range(40)))
    matcher = world.transactions.matcher
    matcher.rules_changed = True
    await freeze_when_due(world.transactions)
    while await rank_pending(world.transactions):
        pass
    states = await world.rows(tables.demand_state)
    assert {row.index_epoch for row in states} == {matcher.engine.statistics.epoch}
    assert matcher.engine.statistics.epoch >= 1
    assert {item["engine"]["index_epoch"] for item in await listed(ask, demands[0])} == {
        matcher.engine.statistics.epoch
    }


async def test_a_restart_reads_the_same_index_from_the_tables(world: World, ask: Ask) -> None:
    demand = world.demand()
    await world.tell(demand, world.supply(), world.supply(**RICE))
    world.transactions.matcher.rules_changed = True
    await freeze_when_due(world.transactions)
    await rank_pending(world.transactions)
    before = await _everything(world)
    world.transactions.matcher.loaded = False
    later_demand = world.later(demand)
    await world.tell(later_demand)
    assert (await _everything(world))["lists"] == before["lists"]


async def test_a_failed_batch_leaves_no_trace_in_the_index(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    demand, tea = world.demand(), world.supply()
    await world.tell(demand)
    handle = supply_handler(world.transactions.matcher)

    class PowerCutError(Exception):
        pass

    with pytest.raises(PowerCutError):
        async with world.transactions.begin() as work:
            await handle(work, [tea])
            raise PowerCutError
    async with world.transactions.begin():
        assert tea.aggregate_id not in world.transactions.matcher.engine.supplies.slots
    await world.tell(tea)
    assert supplies_of(await listed(ask, demand)) == [tea.aggregate_id]


async def test_an_unreadable_body_is_refused_with_its_batch(world: World) -> None:
    tea, broken = world.supply(), world.supply(trl="nine")
    handle = supply_handler(world.transactions.matcher)
    with pytest.raises(ValidationError):
        async with world.transactions.begin() as work:
            await handle(work, [tea, broken])
    assert await world.rows(tables.item) == []


async def test_a_start_reads_the_demands_when_a_supply_first_needs_them(
    world: World, ask: Ask
) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    matcher = world.transactions.matcher
    matcher.loaded = False
    new = world.demand()
    await world.tell(new)
    assert supplies_of(await listed(ask, new)) == [tea.aggregate_id]
    assert not matcher.engine.holds(demand.aggregate_id)
    another = world.supply()
    await world.tell(another)
    assert matcher.engine.holds(demand.aggregate_id)
    for each in (demand, new):
        assert another.aggregate_id in supplies_of(await listed(ask, each))
