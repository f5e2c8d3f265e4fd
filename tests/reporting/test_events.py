"""Events twice, late and out of order, on the real Postgres and NATS."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.events import Event
from shared.kernel.ids import new_id


def _story(world: Any) -> list[Event]:
    """Three demands, three supplies, lists that come and go."""
    dryer, line, press = (new_id() for _ in range(3))
    tea, rice, lost = (new_id() for _ in range(3))
    events = [
        world.demand("SUBMITTED", id=tea, province="19", updated_at="2026-05-01T00:00:00Z"),
        world.demand(
            "PUBLISHED", id=tea, version=2, province="19", updated_at="2026-05-31T16:59:59Z"
        ),
        world.demand(
            "PUBLISHED",
            id=tea,
            version=3,
            province="06",
            fields=["2.11", "4.1"],
            updated_at="2026-06-02T00:00:00Z",
        ),
        world.demand("FULFILLED", id=tea, version=4, province="06", fields=["2.11"]),
        world.demand("PUBLISHED", id=rice, province="92", updated_at="2026-06-03T00:00:00Z"),
        world.demand("UNDER_REVIEW", id=lost, updated_at="2026-06-03T00:00:00Z"),
        world.demand("WITHDRAWN", id=lost, version=2, updated_at="2026-06-04T00:00:00Z"),
        world.supply("PUBLISHED", id=dryer, country="KR", updated_at="2026-04-30T17:00:00Z"),
        world.supply("ON_HOLD", id=dryer, version=2, country="KR"),
        world.supply("PUBLISHED", id=line, country="JP"),
        world.supply("SUBMITTED", id=press, country="DE"),
    ]
    first, second = events[0], events[4]
    dryer_offer, line_offer = events[7], events[9]
    return [
        *events,
        world.ranking(first, [], updated_at="2026-05-31T17:00:00Z"),
        world.ranking(
            first, [dryer_offer, line_offer], version=2, updated_at="2026-06-01T00:00:00Z"
        ),
        world.ranking(first, [line_offer], version=3, updated_at="2026-07-01T00:00:00Z"),
        world.ranking(second, [dryer_offer], updated_at="2026-06-03T01:00:00Z"),
        world.ranking(second, [], version=2, updated_at="2026-06-05T01:00:00Z"),
        world.diagnosis(first, "NO_SUPPLY", updated_at="2026-05-31T17:00:00Z"),
        world.diagnosis(first, "MATCHED", version=2, updated_at="2026-06-01T00:00:00Z"),
        world.diagnosis(second, "NO_RESOURCES", updated_at="2026-06-03T01:00:00Z"),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_order_with_any_repeats_ends_in_the_same_dashboard(
    world: Any, ask: Any, seed: int
) -> None:
    events = _story(world)
    await world.tell(*events)
    told_once, dashboard = await world.facts(), await ask()
    assert dashboard["funnel"] == {
        "demands_received": 3,
        "demands_published": 2,
        "demands_with_matches": 2,
        "demands_matched": 1,
        "demands_fulfilled": 1,
        "supplies_published": 2,
        "matches": 1,
    }

    chance = random.Random(seed)
    # Delivered again with the same id, and said again under another one.
    again = [*events, *events, *(replace(event, id=new_id()) for event in events)]
    chance.shuffle(again)
    await world.forget()
    await world.tell(*again)
    assert await world.facts() == told_once
    assert await ask() == dashboard

    await world.forget()
    for event in reversed(events):
        await world.tell(event)
    assert await world.facts() == told_once
    assert await ask() == dashboard


async def test_a_late_event_moves_only_the_first_times(world: Any, ask: Any) -> None:
    late = world.demand(province="01", updated_at="2026-03-31T16:59:59Z")
    await world.tell(world.demand("ON_HOLD", id=late.aggregate_id, version=7, province="92"))
    await world.tell(late)
    found = (await ask())["demands"]
    assert found["by_month"] == [{"month": "2026-03", "count": 1}]
    assert found["by_status"] == [{"status": "ON_HOLD", "count": 1}]
    assert [entry["code"] for entry in found["by_province"]] == ["92"]


async def test_versions_of_a_restored_producer_count_anew(world: Any, ask: Any) -> None:
    before = world.demand("ON_HOLD", version=9)
    restored = world.demand("WITHDRAWN", id=before.aggregate_id, version=4, epoch=2)
    await world.tell(restored, before)
    assert (await ask())["demands"]["by_status"] == [{"status": "WITHDRAWN", "count": 1}]


async def test_what_is_new_in_the_same_major_is_read_and_the_rest_passes_by(
    world: Any, ask: Any
) -> None:
    known = world.demand(reviewed_by_robot=True)
    unheard = replace(world.demand(), type="demand.request.celebrated.v1")
    wider = world.ranking(known, [], note="new key")
    next_major = replace(world.demand(), type="demand.request.published.v2", data=b"[]")
    interest = replace(known, id=new_id(), type="matching.interest.submitted.v1", data=b"{}")
    await world.tell(known, unheard, wider, next_major, interest)
    assert (await ask())["funnel"]["demands_published"] == 2
    assert await world.dead_letters() == []


async def test_an_unreadable_body_becomes_a_dead_letter_and_its_neighbours_count(
    world: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.dead_letters.RETRY_SECONDS", (0.01,) * 4)
    good = [world.demand() for _ in range(4)]
    poison = world.demand(province="Thái Nguyên")
    await world.tell(*good[:2], poison, *good[2:])
    while [letter.state for letter in await world.dead_letters()] != ["OPEN"]:
        await asyncio.sleep(0.01)
    assert (await ask())["funnel"]["demands_published"] == 4
    (letter,) = await world.dead_letters()
    assert (letter.consumer, letter.message_id) == ("reporting-demand", str(poison.id))
    assert "province" in letter.error
    assert "Thái Nguyên" not in letter.error


async def test_as_of_is_the_newest_event_of_each_stream(world: Any, ask: Any) -> None:
    assert (await ask())["as_of"] == {"demands": None, "supplies": None, "matches": None}
    early = world.demand(updated_at="2026-02-01T00:00:00Z")
    await world.tell(
        world.demand(updated_at="2026-03-01T00:00:00Z"),
        early,
        world.supply(updated_at="2026-04-01T00:00:00Z"),
        world.diagnosis(early, "NO_SUPPLY", updated_at="2026-05-01T00:00:00Z"),
        world.ranking(early, [], updated_at="2026-04-30T00:00:00Z"),
    )
    assert (await ask())["as_of"] == {
        "demands": "2026-03-01T00:00:00.000Z",
        "supplies": "2026-04-01T00:00:00.000Z",
        "matches": "2026-05-01T00:00:00.000Z",
    }
