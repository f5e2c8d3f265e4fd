"""The same supplies and demands on both sources; Milvus Lite stands in for a Milvus server.

What it cannot show: how an approximate index of a real Milvus behaves, and how fast one is.
"""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from milvus_lite.adapter.grpc.server import start_server_in_thread
from pydantic import SecretStr, ValidationError

from ketnoi.local import free_port
from shared.contracts.demands import DemandProfile
from shared.contracts.events import Event
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.db.database import is_passing
from shared.http.health import Health
from shared.kernel.errors import UnavailableError
from svc_matching.clients import milvus_collection
from svc_matching.clients.milvus import Milvus
from svc_matching.consumers.items import demand_handler, supply_handler
from svc_matching.engine.candidates import Candidates, LocalIndex, SourceOf
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import SupplyFacts, demand_facts, supply_facts
from svc_matching.engine.pairs import Ranking
from svc_matching.engine.views import View, views_of
from svc_matching.engine.vocabulary import LANGUAGES, load_vocabulary
from svc_matching.main import create_app
from svc_matching.settings import Settings
from svc_matching.storage import tables
from svc_matching.worker import build_transactions, choose_milvus

SUPPLIES = 600
TOP = 100


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """Milvus Lite on a port, ended at once."""
    running, database, bound = start_server_in_thread(str(folder), host="127.0.0.1", port=port)
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        running.stop(grace=0).wait()
        database.close()


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("milvus"), free_port()) as found:
        yield found


@pytest.fixture
def milvus(uri: str) -> Iterator[Milvus]:
    """An empty collection."""
    made = Milvus(uri)
    made._collection.delete(made._collection.digests())
    yield made
    made.close()


def words_of(language: str) -> list[str]:
    found: list[str] = []
    for concept in list(load_vocabulary().concepts.values())[:400]:
        found += concept.labels.get(language, ())[:1]
    return found


WORDS = {language: words_of(language) for language in LANGUAGES}


def text(chance: random.Random, language: str, count: int) -> dict[str, Any]:
    """Some labels of the vocabulary, a few of them often: texts that share some of their words."""
    words = WORDS[language]
    chosen = [words[int(len(words) * chance.random() ** 3)] for _ in range(count)]
    return {"title": " ".join(chosen[:4]), "description": ". ".join(chosen[4:])}


def put_supply(engine: Engine, number: int, **given: Any) -> UUID:
    supply_id, profile = UUID(int=1000 + number), SupplyProfile(**given)
    views = views_of(profile)
    engine.put_supply(supply_id, supply_facts(profile, SupplyStatus.PUBLISHED, views), views)
    return supply_id


def put_demand(engine: Engine, number: int, **given: Any) -> UUID:
    demand_id, profile = UUID(int=number), DemandProfile(**given)
    views = views_of(profile)
    engine.put_demand(demand_id, demand_facts(profile, views), views)
    return demand_id


@cache
def supplies() -> list[tuple[SupplyFacts, tuple[View, ...]]]:
    """Supplies in six languages, read once."""
    chance, read = random.Random(7), []
    for number in range(SUPPLIES):
        # Half in English: many more than TOP are asked by sets of translations.
        language = LANGUAGES[number % len(LANGUAGES)] if number % 2 else "en"
        given = text(chance, language, 24) | {"trl": number % 9 + 1, "fields": ["2.11"]}
        profile = SupplyProfile(language=language, **given)
        views = views_of(profile)
        read.append((supply_facts(profile, SupplyStatus.PUBLISHED, views), views))
    return read


def filled(candidates: SourceOf = LocalIndex) -> Engine:
    """An engine with these supplies and six demands, three of them in Vietnamese."""
    chance, engine = random.Random(8), Engine(year=2026, candidates=candidates)
    for number, (facts, views) in enumerate(supplies()):
        engine.put_supply(UUID(int=1000 + number), facts, views, weigh=False)
    engine.adopt(engine.freeze(1))
    for number, language in enumerate(("vi", "vi", "vi", "en", "de", "ko"), start=1):
        given = text(chance, language, 20) | {"trl_min": 3, "fields": ["2.11", "2.3"]}
        put_demand(engine, number, language=language, **given)
    return engine


DEMANDS = [UUID(int=number) for number in range(1, 7)]


def best(engine: Engine, found: Candidates) -> dict[UUID, float]:
    """The most relevant candidates by terms."""
    pairs = sorted(zip((-found.terms[found.slots]).tolist(), found.slots.tolist(), strict=True))
    return {engine.supplies.slots.id_of(slot): -terms for terms, slot in pairs[:TOP] if terms}


def test_milvus_finds_the_candidates_that_the_exact_index_finds(milvus: Milvus) -> None:
    exact, engine = filled(), filled(milvus.source)
    entries = [[each.demands.get(demand_id) for demand_id in DEMANDS] for each in (exact, engine)]
    assert any(query.sets for entry in entries[0] for query in entry.queries)
    local = exact._candidates.search(entries[0], TOP)
    remote = engine._candidates.search(entries[1], TOP)
    for here, there in zip(local, remote, strict=True):
        assert len(there.slots) < SUPPLIES, "candidates, not everything"
        wanted, found = best(exact, here), best(engine, there)
        assert len(wanted) == TOP
        shared = wanted.keys() & found.keys()
        assert len(shared) >= 0.95 * TOP
        assert {each: wanted[each] for each in shared} == {each: found[each] for each in shared}


def test_the_same_supply_has_the_same_composite_score(milvus: Milvus) -> None:
    exact, engine = filled(), filled(milvus.source)
    for wanted, found in zip(exact.rank_many(DEMANDS), engine.rank_many(DEMANDS), strict=True):
        scores = {pair.supply_id: (pair.score, pair.relevance) for pair in found.listed}
        expected = {pair.supply_id: (pair.score, pair.relevance) for pair in wanted.listed}
        assert len(scores) == 20
        shared = scores.keys() & expected.keys()
        assert len(shared) >= 19
        assert {each: scores[each] for each in shared} == {each: expected[each] for each in shared}


def test_what_was_added_changed_or_dropped_is_found_so(milvus: Milvus) -> None:
    engine = Engine(year=2026, candidates=milvus.source)
    demand = put_demand(engine, 1, title="tea dryer", language="en")

    def listed() -> set[UUID]:
        return {pair.supply_id for pair in engine.rank(demand).listed}

    assert listed() == set()
    first = put_supply(engine, 1, title="tea dryer", language="en")
    second = put_supply(engine, 2, title="welding robot", language="en")
    assert listed() == {first}
    put_supply(engine, 2, title="green tea dryer", language="en")
    assert listed() == {first, second}
    engine.drop_supply(first)
    assert listed() == {second}
    put_supply(engine, 2, title="welding robot", language="en")
    assert listed() == set()


def test_only_supplies_of_the_audience_are_asked_by_concepts(milvus: Milvus) -> None:
    engine = Engine(year=2026, candidates=milvus.source)
    demand = put_demand(engine, 1, title="Máy sấy chè bơm nhiệt", language="vi")
    korean = put_supply(engine, 1, title="녹차 건조기", language="ko")
    engine.adopt(engine.freeze(1))
    assert {pair.supply_id for pair in engine.rank(demand).listed} == {korean}


def test_a_preview_asks_by_words_that_no_supply_has(milvus: Milvus) -> None:
    engine = Engine(year=2026, candidates=milvus.source)
    tea = put_supply(engine, 1, title="tea dryer", language="en")
    profile = DemandProfile(title="tea dryer of unobtainium", language="en")
    views = views_of(profile)
    ranking = engine.preview(demand_facts(profile, views), views)
    assert [pair.supply_id for pair in ranking.listed] == [tea]


def test_a_restart_sends_only_what_differs(milvus: Milvus, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(milvus.source).rank(DEMANDS[0])
    sent: list[str] = []
    upsert, delete = milvus._collection.upsert, milvus._collection.delete
    monkeypatch.setattr(
        milvus._collection,
        "upsert",
        lambda rows: (sent.extend(r["id"] for r in rows), upsert(rows)),
    )
    gone: list[UUID] = []
    monkeypatch.setattr(milvus._collection, "delete", lambda ids: (gone.extend(ids), delete(ids)))
    again = filled(milvus.source)
    changed, (facts, views) = UUID(int=1003), supplies()[5]
    again.put_supply(changed, facts, views, weigh=False)
    again.drop_supply(UUID(int=1004))
    again.adopt(again.statistics)
    again.rank(DEMANDS[0])
    assert sent == [str(changed)]
    assert gone == [UUID(int=1004)]
    emptied = Engine(year=2026, candidates=milvus.source)
    emptied.rank(put_demand(emptied, 1, title="tea dryer", language="en"))
    assert milvus._collection.digests() == {}


def test_a_supply_without_words_is_no_candidate_and_no_error(milvus: Milvus) -> None:
    engine = Engine(year=2026, candidates=milvus.source)
    put_supply(engine, 1, title="?", language="en", fields=["2.11"])
    demand = put_demand(engine, 1, title="tea dryer", language="en", fields=["2.11"])
    assert engine.rank(demand).listed == ()


def test_what_takes_too_long_to_send_is_sent_in_turns(
    milvus: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = filled(milvus.source)
    monkeypatch.setattr("svc_matching.clients.milvus.FILL_SECONDS", -1.0)
    with pytest.raises(UnavailableError) as refused:
        engine.rank(DEMANDS[0])
    assert refused.value.code == "candidates_filling"
    monkeypatch.setattr("svc_matching.clients.milvus.FILL_SECONDS", 20.0)
    assert len(engine.rank(DEMANDS[0]).listed) == 20


def test_a_server_that_goes_and_comes_back_is_brought_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_collection, "CALL_SECONDS", 1.0)
    port = free_port()
    milvus = Milvus(f"http://127.0.0.1:{port}")
    engine = Engine(year=2026, candidates=milvus.source)
    demand = put_demand(engine, 1, title="tea dryer", language="en")
    first = put_supply(engine, 1, title="tea dryer", language="en")

    def refusal() -> UnavailableError:
        with pytest.raises(UnavailableError) as refused:
            engine.rank(demand)
        assert is_passing(refused.value), "whoever waits for it tries again, and gives nothing up"
        return refused.value

    never_there = refusal()
    assert never_there.code == "candidates_unavailable"
    assert "Milvus" in never_there.en
    assert "Milvus" in never_there.vi
    with server(tmp_path / "one", port):
        assert [pair.supply_id for pair in soon(engine, demand).listed] == [first]
    second = put_supply(engine, 2, title="green tea dryer", language="en")
    assert engine.concerned([second]) == {demand: {second}}, "needs no Milvus"
    assert refusal().code == "candidates_unavailable"
    engine.drop_supply(first)
    with server(tmp_path / "one", port):
        assert [pair.supply_id for pair in soon(engine, demand).listed] == [second]
    with server(tmp_path / "emptied", port):
        assert [pair.supply_id for pair in soon(engine, demand).listed] == [second]
    milvus.close()


def soon(engine: Engine, demand: UUID) -> Ranking:
    """Rank once the connection is there again."""
    until = time.monotonic() + 10
    while True:
        try:
            return engine.rank(demand)
        except UnavailableError:
            if time.monotonic() > until:
                raise


async def test_a_demand_waits_for_milvus_and_nothing_of_it_is_lost(
    settings: Settings, world: Any, tmp_path: Path
) -> None:
    port = free_port()
    uri = SecretStr(f"http://127.0.0.1:{port}")
    chosen = settings.model_copy(update={"matching_candidates": "milvus", "milvus_uri": uri})
    milvus = choose_milvus(chosen)
    assert milvus is not None
    transactions = build_transactions(chosen, milvus)
    supply, demand = world.supply(), world.demand()

    async def take(handler: Any, event: Event) -> None:
        async with transactions.begin() as work:
            await handler(transactions.matcher)(work, [event])

    await take(supply_handler, supply)
    with pytest.raises(UnavailableError) as refused:
        await take(demand_handler, demand)
    assert refused.value.code == "candidates_unavailable"
    assert [row.id for row in await world.rows(tables.item)] == [supply.aggregate_id]
    with server(tmp_path, port):
        while (await milvus.check()).status != "pass":
            await asyncio.sleep(0.05)
        await take(demand_handler, demand)
    (match,) = await world.rows(tables.match)
    assert (match.demand_id, match.supply_id) == (demand.aggregate_id, supply.aggregate_id)
    transactions.matcher.close()
    milvus.close()
    await transactions.database.close()


async def test_health_says_that_milvus_is_away_and_the_service_stays_ready(
    settings: Settings,
) -> None:
    uri = SecretStr(f"http://127.0.0.1:{free_port()}")
    chosen = settings.model_copy(update={"matching_candidates": "milvus", "milvus_uri": uri})
    health: Health = create_app(chosen).state.health
    document = await health.document()
    (said,) = document["checks"]["candidates"]
    assert (said["status"], said["code"]) == ("fail", "candidates_unreachable")
    assert "Milvus" in said["what"]["vi"]
    assert "candidates" not in await health.not_ready(), "lists are read from the tables"


def test_milvus_needs_an_address_and_is_off_by_default() -> None:
    assert Settings().matching_candidates == "local"
    with pytest.raises(ValidationError, match="KETNOI_MILVUS_URI"):
        Settings(matching_candidates="milvus")


def test_nothing_of_milvus_is_loaded_unless_it_is_chosen() -> None:
    code = "import sys, svc_matching.main; print(*{'pymilvus', 'grpc'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
