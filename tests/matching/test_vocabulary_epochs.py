"""An accepted concept comes to use with an epoch of its own, whole or not at all."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from svc_matching.domain.vocabularies import LANGUAGES, Concept
from svc_matching.engine import in_use
from svc_matching.engine.marks import restore
from svc_matching.engine.tagging import concepts_in
from svc_matching.engine.views import pack, views_of
from svc_matching.engine.vocabulary import load_vocabulary
from svc_matching.storage import item_next, tables
from svc_matching.usecases import epochs, matcher, vocabulary_epochs
from svc_matching.usecases.vocabulary_epochs import VocabularyEpochs

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/vocabularies/technology"
WORD: dict[str, Any] = {
    "kind": "ADD",
    "concept_id": "zorbulator",
    "broader": ["tea-drying"],
    "labels": {"vi": ["máy dùm vặc"], "en": ["zorbulator"], "ko": ["조르불레이터"]},
    "reason": "Ba cơ sở gọi như vậy.",
}
WANTED = {"title": "Cần máy dùm vặc", "description": "Xưởng cần mua máy dùm vặc loại tốt."}
OFFERED = {
    "title": "조르불레이터",
    "description": "고성능 조르불레이터 판매합니다.",
    "language": "ko",
    "country": "KR",
}


@pytest.fixture(autouse=True)
def what_ships_is_in_use_again() -> Iterator[None]:
    yield
    in_use.use_vocabulary(load_vocabulary())
    for language in LANGUAGES:
        concepts_in("a", language)


@pytest.fixture
def accept(
    client: httpx.AsyncClient, authorization: Callable[..., dict[str, str]]
) -> Callable[..., Awaitable[dict[str, Any]]]:
    async def accepted(**given: Any) -> dict[str, Any]:
        theirs, ours = authorization("office"), authorization("operator")
        made = await client.post(f"{PATH}/proposals", json=WORD | given, headers=theirs)
        assert made.status_code == 201, made.text
        path = f"{PATH}/proposals/{made.json()['id']}/transitions"
        move = {"to": "ACCEPTED", "reason": "đúng"}
        done = await client.post(path, json=move, headers=ours | {"If-Match": '"1"'})
        assert done.status_code == 200, done.text
        body: dict[str, Any] = done.json()
        return body

    return accepted


Accept = Callable[..., Awaitable[dict[str, Any]]]


def next_epochs(world: World) -> VocabularyEpochs:
    return VocabularyEpochs(world.transactions, quiet_seconds=0)


async def brought_to_use(world: World) -> None:
    """Let the accepted changes come to use, and rank what waits."""
    work = next_epochs(world)
    while await work.step():
        pass
    while await epochs.rank_pending(world.transactions):
        pass


async def listed(ask: Ask, demand: Any) -> list[dict[str, Any]]:
    body = (await ask(f"/v1/demands/{demand.aggregate_id}/matches")).json()
    assert body["pending"] is False
    items: list[dict[str, Any]] = body["items"]
    return items


async def stored_analyses_are_by(world: World, version: str) -> None:
    """Every stored analysis is what the vocabulary in use makes of the text; nothing is left."""
    assert in_use.vocabulary().version == version
    for row in await world.rows(tables.item):
        model = DemandProfile if row.kind == "DEMAND" else SupplyProfile
        profile = model.model_validate_json(json.dumps(row.profile))
        assert row.analysis == pack(views_of(profile)), row.profile["title"]
    assert await world.rows(tables.item_next) == []


async def test_an_invented_word_meets_across_languages_after_the_next_epoch(
    world: World, ask: Ask, accept: Accept
) -> None:
    supply, other, demand = world.supply(**OFFERED), world.supply(), world.demand(**WANTED)
    await world.tell(supply, other, demand)
    korean = str(supply.aggregate_id)
    assert korean not in [item["supply_id"] for item in await listed(ask, demand)]
    version = (await accept())["vocabulary_version"]
    assert korean not in [item["supply_id"] for item in await listed(ask, demand)]
    await brought_to_use(world)
    first, *_ = await listed(ask, demand)
    assert first["supply_id"] == korean
    assert first["engine"]["vocabulary_version"] == version
    met = {
        c["concept"]: (c["demand_text"], c["supply_text"]) for c in first["explanation"]["matched"]
    }
    assert met == {"máy dùm vặc": ("máy dùm vặc", "조르불레이터")}
    assert (await ask(f"{PATH}/versions")).json()["in_use"] == version
    await stored_analyses_are_by(world, version)


async def test_a_deprecated_concept_is_found_no_longer(
    world: World, ask: Ask, accept: Accept
) -> None:
    supply, demand = world.supply(**OFFERED), world.demand(**WANTED)
    await world.tell(supply, demand)
    await accept()
    await brought_to_use(world)
    assert len(await listed(ask, demand)) == 1
    await accept(kind="CHANGE", deprecated=True, broader=None, labels=None)
    assert len(await listed(ask, demand)) == 1
    await brought_to_use(world)
    assert await listed(ask, demand) == []
    await stored_analyses_are_by(world, f"{load_vocabulary().version}+2")


async def test_several_changes_are_one_epoch(world: World, accept: Accept) -> None:
    await world.tell(world.supply(**OFFERED), world.demand(**WANTED))
    before = len(await world.rows(tables.epoch))
    await accept()
    await accept(concept_id="glimmer", labels={"vi": ["bộ nhoáng nhoàng"], "en": ["glimmerer"]})
    await accept(concept_id="kwazzle", labels={"vi": ["cái quặt quẹo"], "en": ["kwazzler"]})
    await brought_to_use(world)
    after = await world.rows(tables.epoch)
    assert len(after) == before + 1
    assert max((row.number, row.vocabulary_revision) for row in after)[1] == 3
    assert not await next_epochs(world).step()
    assert len(await world.rows(tables.epoch)) == before + 1


async def test_nothing_begins_before_it_is_quiet(world: World, accept: Accept) -> None:
    await world.tell(world.supply(**OFFERED))
    await accept()
    patient = VocabularyEpochs(world.transactions, quiet_seconds=3600)
    assert not await patient.step()
    assert await world.rows(tables.item_next) == []


async def test_a_restart_keeps_the_version(world: World, ask: Ask, accept: Accept) -> None:
    supply, demand = world.supply(**OFFERED), world.demand(**WANTED)
    await world.tell(supply, demand)
    version = (await accept())["vocabulary_version"]
    await brought_to_use(world)
    before = await listed(ask, demand)
    in_use.use_vocabulary(load_vocabulary())  # as a new process begins
    world.transactions.matcher.loaded = False
    async with world.transactions.begin():
        pass
    assert in_use.vocabulary().version == version
    assert not world.transactions.matcher.rules_changed
    late = world.demand(**WANTED)
    await world.tell(late)
    assert [item["supply_id"] for item in await listed(ask, late)] == [str(supply.aggregate_id)]
    assert await listed(ask, demand) == before
    await stored_analyses_are_by(world, version)


async def test_what_a_kill_leaves_is_gone_on_with(
    world: World, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the texts are analysed when the process dies; an event comes in between."""
    monkeypatch.setattr(vocabulary_epochs, "BATCH", 4)
    told = [world.supply(**OFFERED) for _ in range(9)]
    demand = world.demand(**WANTED)
    await world.tell(*told, demand)
    await accept()
    dying = next_epochs(world)
    assert await dying.step()
    assert await dying.step()
    assert len(await world.rows(tables.item_next)) == 8
    shipped = load_vocabulary()
    assert in_use.vocabulary() is shipped
    changed = world.later(told[0], description="Một máy sấy chè.", language="vi", title="Máy sấy")
    await world.tell(changed, world.supply(**OFFERED))
    world.transactions.matcher.loaded = False

    analysed: list[int] = []
    whole = vocabulary_epochs.analysed_with

    def counting(vocabulary: Any, profiles: list[Any]) -> list[bytes]:
        analysed.append(len(profiles))
        return whole(vocabulary, profiles)

    monkeypatch.setattr(vocabulary_epochs, "analysed_with", counting)
    async with world.transactions.begin():
        pass
    await brought_to_use(world)
    first_was_done = 1  # UUIDv7: the oldest eight were done, the changed one is among them
    assert sum(analysed) == 11 - 8 + first_was_done
    await stored_analyses_are_by(world, f"{shipped.version}+1")


async def test_a_release_with_other_files_reads_everything_anew_in_an_epoch_of_its_own(
    world: World, ask: Ask
) -> None:
    supply, demand = world.supply(), world.demand()
    await world.tell(supply, demand)
    async with world.transactions.begin() as work:
        await world.transactions.matcher.open_epoch(work)
        old = {"vocabulary_version": "of before"}
        await work.connection.execute(tables.epoch.update().values(**old))
        blank = {"analyser": "of before", "analysis": b""}
        await work.connection.execute(tables.item.update().values(**blank))
    (before,) = await world.rows(tables.epoch)
    world.transactions.matcher.loaded = False
    late = world.demand()
    await world.tell(late)  # the first transaction of the new process
    runs = [r for r in await world.rows(tables.match_run) if r.demand_id == late.aggregate_id]
    assert [run.index_epoch for run in runs] == [before.number + 1]
    assert [item["supply_id"] for item in await listed(ask, late)] == [str(supply.aggregate_id)]
    assert not world.transactions.matcher.rules_changed
    await stored_analyses_are_by(world, load_vocabulary().version)


async def test_what_comes_at_the_last_moment_is_read_with_the_new_one_too(
    world: World, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few texts are analysed in the switch itself; for many it waits."""
    monkeypatch.setattr(vocabulary_epochs, "BATCH", 4)
    await world.tell(*(world.supply(**OFFERED) for _ in range(5)))
    await accept()
    work = next_epochs(world)
    target = await work._due()
    assert not await work._open(target)
    assert in_use.vocabulary().revision == 0
    assert await work._prepare(target)
    assert await work._open(target)
    await stored_analyses_are_by(world, target.version)
    assert {row.vocabulary_revision for row in await world.rows(tables.epoch)} == {1}
    assert await work._open(target)  # somebody else was first
    assert len(await world.rows(tables.epoch)) == 1


@pytest.mark.parametrize("broken", ["crash_point", "take_over"])
async def test_a_failed_switch_leaves_the_old_epoch_whole(
    world: World, ask: Ask, accept: Accept, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply, demand = world.supply(**OFFERED), world.demand(**WANTED)
    await world.tell(supply, demand)
    await accept()
    items, states = await world.rows(tables.item), await world.rows(tables.epoch)

    def dies(*_: Any) -> None:
        raise RuntimeError("the process is gone")

    work = next_epochs(world)
    with monkeypatch.context() as patch:
        patch.setattr(matcher if broken == "crash_point" else item_next, broken, dies)
        with pytest.raises(RuntimeError, match="gone"):
            while await work.step():
                pass
    assert (await world.rows(tables.item), await world.rows(tables.epoch)) == (items, states)
    late = world.demand(**WANTED)
    await world.tell(late)  # read with the old vocabulary, as everything in this epoch
    assert in_use.vocabulary().revision == 0
    assert await listed(ask, late) == await listed(ask, demand) == []
    await brought_to_use(world)
    for wanting in (late, demand):
        assert [i["supply_id"] for i in await listed(ask, wanting)] == [str(supply.aggregate_id)]
    await stored_analyses_are_by(world, f"{load_vocabulary().version}+1")


async def test_the_running_service_does_it_by_itself(
    world: World, ask: Ask, app: FastAPI, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own loop, with lists readable all the while."""
    supply, demand = world.supply(**OFFERED), world.demand(**WANTED)
    await world.tell(supply, demand)
    version = (await accept())["vocabulary_version"]
    async with world.transactions.aside() as work:
        table = tables.vocabulary_revision
        long_ago = world.transactions.clock().replace(year=2020)
        await work.connection.execute(table.update().values(created_at=long_ago))
    while not (items := await listed(ask, demand)):
        await asyncio.sleep(0.05)
    assert [item["supply_id"] for item in items] == [str(supply.aggregate_id)]
    assert items[0]["engine"]["vocabulary_version"] == version


def test_two_vocabularies_are_read_with_side_by_side() -> None:
    shipped = load_vocabulary()
    labels = {"vi": ("máy dùm vặc",), "en": ("zorbulator",), "de": ("Zorbulator",)}
    more = shipped.with_changes(
        1, {"zorbulator": Concept("zorbulator", "tea-coffee-rice", ("tea-drying",), labels)}
    )
    text = "máy dùm vặc"
    assert "zorbulator" not in concepts_in(text, "vi")
    with in_use.reading_with(more):
        assert "zorbulator" in concepts_in(text, "vi")
        assert "zorbulator" in concepts_in(restore("may dum vac"), "vi")
        assert "tea-drying" in concepts_in("sấy chè", "vi")
    assert "zorbulator" not in concepts_in(text, "vi")
