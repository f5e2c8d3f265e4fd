"""Embeddings beside the events: made late, kept with their text, counted an epoch at a time."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy import select

from shared.contracts.demands import DemandProfile
from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine import in_use
from svc_matching.engine.embedding import EmbedderError, Matrix, TextKind, TextRefusedError
from svc_matching.engine.tagging import concepts_in
from svc_matching.engine.vocabulary import load_vocabulary
from svc_matching.settings import Settings
from svc_matching.storage import tables
from svc_matching.usecases import embeddings as module
from svc_matching.usecases.embeddings import Embeddings
from svc_matching.usecases.epochs import freeze_when_due, rank_pending
from svc_matching.usecases.lists import rank_lists
from svc_matching.usecases.snapshots import save_when_due
from svc_matching.usecases.unembedded import embed_some, keep_embeddings
from svc_matching.usecases.vocabulary_epochs import VocabularyEpochs
from svc_matching.worker import build_embedder

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

TEA = DemandProfile(title="Lò sấy chè", language="vi")
RICE = {"title": "Máy sấy lúa tháp", "description": "Tháp sấy lúa tuần hoàn, đốt trấu."}
JAVANESE = {"title": "Pangering godhong", "description": "Pompa panas.", "language": "jv"}


class WordEmbedder:
    """The mean direction of a text's words, and as broken as a test wants it."""

    name, dimensions = "words", 64

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.asked: list[tuple[TextKind, list[str]]] = []
        self.instead: Callable[[Matrix], Matrix] = lambda answer: answer
        self.refused: str | None = None
        self.down = False
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        self.asked.append((kind, list(texts)))
        await self.speaks.wait()
        if self.down:
            raise EmbedderError("switched off")
        if self.refused is not None and any(self.refused in text for text in texts):
            raise TextRefusedError("one of the texts is refused")
        rows = [sum(self._direction(word) for word in text.lower().split()) for text in texts]
        return self.instead(np.array(rows, np.float32))

    def _direction(self, word: str) -> np.ndarray:
        seed = int.from_bytes(sha256(word.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).standard_normal(self.dimensions)

    async def close(self) -> None:
        pass

    @property
    def texts(self) -> list[str]:
        return [text for _, texts in self.asked for text in texts]


@pytest.fixture
async def embedder(world: World) -> AsyncIterator[WordEmbedder]:
    """The service with an embedder, asked by the tests alone."""
    made = WordEmbedder()
    use(world, made)
    yield made
    world.transactions.matcher.embeddings = Embeddings()


def use(world: World, embedder: WordEmbedder | None) -> None:
    """Start the service again with this embedder."""
    matcher = world.transactions.matcher
    matcher.embeddings, matcher.loaded = Embeddings(embedder), False


async def settle(world: World) -> None:
    """Embed what waits, open the epoch that is due, rank what it asks for."""
    transactions = world.transactions
    async with transactions.begin():
        pass
    while await embed_some(transactions):
        pass
    await freeze_when_due(transactions)
    while await rank_pending(transactions):
        pass


async def dense_of(ask: Ask, demand: Any) -> dict[str, dict[str, Any] | None]:
    """Return the dense component of each listed supply, by its title."""
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/matches")).json()
    for item in answer["items"]:
        total = sum(round(part["contribution"] * 1e6) for part in item["components"])
        assert total == round(item["score"] * 1e6)
    return {
        item["supply"]["title"]: next((c for c in item["components"] if c["name"] == "dense"), None)
        for item in answer["items"]
    }


async def scores(world: World) -> dict[Any, tuple[int, int, bytes]]:
    rows = await world.rows(tables.match)
    return {
        (row.demand_id, row.supply_id): (row.score, row.confidence, row.components)
        for row in rows
        if row.listed
    }


async def stored(world: World, event: Any) -> tuple[bytes | None, str | None]:
    async with world.transactions.read() as connection:
        found = await connection.execute(
            select(tables.item.c.embedding, tables.item.c.embedder).where(
                tables.item.c.id == event.aggregate_id
            )
        )
    row = found.one()
    return row.embedding, row.embedder


# --- none configured ---


_CALLS: list[Any] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _CALLS is not None and event in ("socket.connect", "socket.getaddrinfo"):
        _CALLS.append((event, arguments[-1] if event == "socket.connect" else arguments[0]))


sys.addaudithook(_listen)


@pytest.fixture
def calls() -> Iterator[list[Any]]:
    """Every address that this process turns to meanwhile."""
    global _CALLS  # noqa: PLW0603 - an audit hook cannot be taken away again
    _CALLS = []
    yield _CALLS
    _CALLS = None


async def test_without_an_embedder_nothing_outside_is_asked(
    world: World, ask: Ask, app: FastAPI, settings: Settings, calls: list[Any]
) -> None:
    assert build_embedder(settings) is None
    assert "embedder" not in await app.state.health.check()
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    assert await embed_some(world.transactions) == 0
    assert await dense_of(ask, demand) == {"Lò sấy chè bơm nhiệt": None}
    assert await stored(world, tea) == (None, None)
    own = {"127.0.0.1", "localhost", "::1"}
    assert [call for call in calls if _host(call[1]) not in own] == []


def test_without_an_embedder_nothing_is_loaded_that_could_ask_one() -> None:
    program = """
import sys
from svc_matching.main import create_app
from svc_matching.settings import Settings
create_app(Settings())
print([name for name in sys.modules if name.startswith(("httpx", "svc_matching.clients."))])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert said.splitlines()[-1] == b"[]"


def _host(address: Any) -> str:
    """Return the host of an address; a socket file is on this machine."""
    if isinstance(address, tuple):
        return str(address[0])
    return "127.0.0.1" if str(address).startswith("/") else str(address)


async def test_an_embedder_is_named_by_the_settings_or_refused(tmp_path: Path) -> None:
    made = build_embedder(
        Settings(
            embeddings_url="http://127.0.0.1:9/v1/embeddings",
            embeddings_model="m",
            embeddings_dimensions=8,
            embeddings_key="very-secret",
            embeddings_query_prefix="query: ",
        )
    )
    assert made is not None
    assert (made.name, made.dimensions) == ("m", 8)
    assert made.version.startswith("1+")
    await made.close()
    with pytest.raises(ValidationError, match="needs KETNOI_EMBEDDINGS_DIMENSIONS"):
        Settings(embeddings_url="http://127.0.0.1:9/", embeddings_model="m")
    with pytest.raises(ValidationError, match="needs KETNOI_EMBEDDINGS_MODEL"):
        Settings(embeddings_url="http://127.0.0.1:9/", embeddings_dimensions=8)
    with pytest.raises(ValidationError, match="not both"):
        Settings(embeddings_url="http://127.0.0.1:9/", embeddings_path=tmp_path)
    assert "very-secret" not in repr(Settings(embeddings_key="very-secret"))


# --- configured ---


async def test_lists_look_at_embeddings_from_the_epoch_in_which_all_have_one(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    tea, rice, demand = world.supply(), world.supply(**RICE), world.demand()
    await world.tell(tea, rice, demand)
    before = await scores(world)
    assert set((await dense_of(ask, demand)).values()) == {None}
    await embed_some(world.transactions)
    assert (await stored(world, tea))[1] == world.transactions.matcher.embeddings.identity
    assert {kind: len(texts) for kind, texts in embedder.asked} == {"query": 1, "passage": 2}
    assert (await scores(world)).keys() == before.keys()
    await settle(world)
    assert world.transactions.matcher.engine.embedder is not None
    assert all(dense and dense["known"] for dense in (await dense_of(ask, demand)).values())
    (*_, epoch) = sorted(await world.rows(tables.epoch), key=lambda row: row.number)
    assert epoch.embedder == world.transactions.matcher.embeddings.identity


async def test_without_the_embedder_again_every_score_is_what_it_was(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    use(world, None)
    demand = world.demand(trl_min=4)
    await world.tell(world.supply(), world.supply(trl=7), world.supply(**RICE), demand)
    await settle(world)
    world.transactions.matcher.rules_changed = True
    await settle(world)
    plain = await scores(world)
    use(world, embedder)
    await settle(world)
    assert await scores(world) != plain
    use(world, None)
    await settle(world)
    assert world.transactions.matcher.engine.embedder is None
    assert await scores(world) == plain


async def test_a_newcomer_is_ranked_by_its_terms_until_it_has_its_embedding(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    demand = world.demand()
    await world.tell(world.supply(title="Lò sấy chè cũ"), demand)
    await settle(world)
    await world.tell(world.supply(title="Lò sấy chè mới"))
    dense = await dense_of(ask, demand)
    assert {title: found and found["known"] for title, found in dense.items()} == {
        "Lò sấy chè cũ": True,
        "Lò sấy chè mới": False,
    }
    epoch = world.transactions.matcher.engine.statistics.epoch
    await embed_some(world.transactions)
    dense = await dense_of(ask, demand)
    assert all(found and found["known"] for found in dense.values())
    assert world.transactions.matcher.engine.statistics.epoch == epoch


async def test_a_new_demand_too(world: World, ask: Ask, embedder: WordEmbedder) -> None:
    await world.tell(world.supply())
    await settle(world)
    demand = world.demand()
    await world.tell(demand)
    (before,) = (await dense_of(ask, demand)).values()
    await embed_some(world.transactions)
    (after,) = (await dense_of(ask, demand)).values()
    assert before is not None
    assert after is not None
    assert (before["known"], after["known"]) == (False, True)


async def test_meaning_alone_brings_a_supply_into_the_list(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    demand, far = world.demand(), world.supply(**JAVANESE)
    embedder._direction = lambda _: np.ones(64)  # type: ignore[method-assign]
    await world.tell(demand)
    await settle(world)
    await world.tell(far)
    assert await dense_of(ask, demand) == {}
    await embed_some(world.transactions)
    answer = (await ask(f"/v1/demands/{demand.aggregate_id}/matches")).json()
    (item,) = answer["items"]
    (dense,) = (c for c in item["components"] if c["name"] == "dense")
    assert (dense["value"], dense["family"]) == (1.0, "RELEVANCE")
    assert dense["contribution"] > 0
    assert "based on the meaning of the text; near in m" in item["explanation"]["text"]["en"]
    assert "dựa vào ý nghĩa của văn bản; gần nghĩa" in item["explanation"]["text"]["vi"]


async def test_an_embedding_stays_while_its_text_does(world: World, embedder: WordEmbedder) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    await settle(world)
    first = await stored(world, tea)
    assert first[0] is not None
    dearer = world.later(tea, price={"min": 5, "currency": "VND"})
    await world.tell(dearer)
    assert await stored(world, tea) == first
    assert not world.transactions.matcher.embeddings.waiting
    await world.tell(world.later(dearer, title="Lò sấy chè gỗ"))
    assert await stored(world, tea) == (None, None)
    asked = len(embedder.texts)
    await embed_some(world.transactions)
    assert len(embedder.texts) == asked + 1
    assert (await stored(world, tea))[0] not in (None, first[0])


async def test_lists_kept_up_to_date_equal_lists_of_a_new_start(
    world: World, embedder: WordEmbedder
) -> None:
    demands = [world.demand(), world.demand(title="Máy sấy lúa")]
    supplies = [world.supply(title=f"Lò sấy {word}") for word in ("chè", "lúa", "gỗ", "tiêu")]
    await world.tell(*supplies[:2], *demands)
    await settle(world)
    await world.tell(*supplies[2:])
    await embed_some(world.transactions)
    await world.tell(world.later(supplies[0], trl=9), world.later(supplies[1], title="Lò sấy ngô"))
    kept = await scores(world)
    use(world, embedder)
    async with world.transactions.begin() as work:
        ids = [demand.aggregate_id for demand in demands]
        await rank_lists(work, world.transactions.matcher, ids)
    assert await scores(world) == kept
    assert list(world.transactions.matcher.embeddings.waiting) == [supplies[1].aggregate_id]


async def test_a_start_from_a_snapshot_takes_embeddings_from_the_table(
    world: World, embedder: WordEmbedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what waits for one is the same: a snapshot says nothing of either."""

    async def later(_: object) -> bool:
        return False

    monkeypatch.setattr("svc_matching.usecases.epochs.save_when_due", later)
    matcher = world.transactions.matcher
    gone, kept, changed, late = (
        world.supply(),
        world.supply(trl=7),
        *(world.supply(**RICE, trl=trl) for trl in (6, 7)),
    )
    demand, closed = world.demand(), world.demand(title="Cần máy sấy lúa")
    await world.tell(gone, kept, changed, demand, closed)
    await settle(world)
    matcher.snapshot_folder, matcher.saved = tmp_path / "snap", (0, 0)
    try:
        assert await save_when_due(world.transactions)
        await world.tell(
            world.later(gone, "WITHDRAWN"),
            world.later(changed, title="Máy sấy chè"),
            world.later(closed, "ON_HOLD"),
            late,
        )
        starts = [await _started(world, folder) for folder in (matcher.snapshot_folder, None)]
    finally:
        matcher.snapshot_folder = None
    assert starts[0] == starts[1]
    known, pairs, _, waiting = starts[0]
    assert known == {kept.aggregate_id: True, changed.aggregate_id: False, late.aggregate_id: False}
    assert {supply_id for supply_id, *_ in pairs} == known.keys()
    assert waiting == {changed.aggregate_id, late.aggregate_id}


async def _started(world: World, folder: Path | None) -> tuple[Any, ...]:
    """Start anew; return whose embedding is there, all pairs, all lists, and who waits."""
    matcher = world.transactions.matcher
    matcher.snapshot_folder, matcher.loaded = folder, False
    async with world.transactions.begin():
        pass
    engine = matcher.engine
    assert engine.embedder == matcher.embeddings.identity
    slots = {each: engine.supplies.slots.get(each) for each in engine.supplies.slots.ids()}
    demands = list(engine.demands.slots.ids())
    return (
        {each: engine.supplies.dense.get(slot) is not None for each, slot in slots.items()},
        {
            (pair.supply_id, pair.score, pair.relevance)
            for pairs in engine.score_many(dict.fromkeys(demands, slots)).values()
            for pair in pairs
        },
        {
            demand_id: [(pair.supply_id, pair.score) for pair in engine.rank(demand_id).listed]
            for demand_id in demands
        },
        set(matcher.embeddings.waiting),
    )


@pytest.fixture
def shipped_words_again() -> Iterator[None]:
    """Let the tests after read with the vocabulary that ships."""
    yield
    in_use.use_vocabulary(load_vocabulary())
    for language in LANGUAGES:
        concepts_in("a", language)


@pytest.mark.usefixtures("shipped_words_again")
async def test_what_is_read_with_new_words_keeps_its_embedding(
    world: World,
    ask: Ask,
    embedder: WordEmbedder,
    client: httpx.AsyncClient,
    authorization: Callable[..., dict[str, str]],
) -> None:
    supply = world.supply(title="Máy dùm vặc", description="Máy dùm vặc loại tốt.")
    demand = world.demand(title="Cần máy dùm vặc", description="Xưởng cần mua máy dùm vặc.")
    await world.tell(supply, demand)
    await settle(world)
    before, asked = await dense_of(ask, demand), len(embedder.asked)
    assert before["Máy dùm vặc"] is not None
    concept = {
        "kind": "ADD",
        "concept_id": "zorbulator",
        "broader": ["tea-drying"],
        "labels": {"vi": ["máy dùm vặc"], "en": ["zorbulator"]},
        "reason": "Ba cơ sở gọi như vậy.",
    }
    path = "/v1/vocabularies/technology/proposals"
    made = await client.post(path, json=concept, headers=authorization("office"))
    move = {"to": "ACCEPTED", "reason": "đúng"}
    headers = authorization("operator") | {"If-Match": '"1"'}
    done = await client.post(f"{path}/{made.json()['id']}/transitions", json=move, headers=headers)
    assert done.status_code == 200, done.text
    work = VocabularyEpochs(world.transactions, quiet_seconds=0)
    while await work.step():
        pass
    await settle(world)
    assert in_use.vocabulary().revision == 1
    after = await dense_of(ask, demand)
    assert after["Máy dùm vặc"] is not None
    assert (after["Máy dùm vặc"]["value"], after["Máy dùm vặc"]["known"]) == (
        before["Máy dùm vặc"]["value"],
        True,
    )
    assert len(embedder.asked) == asked


async def test_two_embedders_never_meet(world: World, ask: Ask, embedder: WordEmbedder) -> None:
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    await settle(world)
    first = await stored(world, tea)
    newer = WordEmbedder("2")
    newer.down = True
    use(world, newer)
    async with world.transactions.begin():
        pass
    with pytest.raises(EmbedderError):
        await embed_some(world.transactions)
    await freeze_when_due(world.transactions)
    while await rank_pending(world.transactions):
        pass
    assert world.transactions.matcher.engine.embedder is None
    assert set((await dense_of(ask, demand)).values()) == {None}
    newer.down = False
    await settle(world)
    assert all(dense and dense["known"] for dense in (await dense_of(ask, demand)).values())
    assert (await stored(world, tea))[1] != first[1]


async def test_a_preview_is_the_list_that_the_demand_would_get(
    world: World, client: httpx.AsyncClient, authorization: Any, embedder: WordEmbedder
) -> None:
    demand = world.demand()
    await world.tell(world.supply(), world.supply(**RICE), demand)
    await settle(world)
    body = {"demand": {k: v for k, v in json.loads(demand.data).items() if k in TEA_FIELDS}}
    preview = await client.post(
        "/v1/match-preview", json=body, headers=authorization("enterprise", "enterprise-1")
    )
    assert preview.status_code == 200, preview.text
    stored_rows = {str(pair[1]): row[0] for pair, row in (await scores(world)).items()}
    assert {item["supply_id"]: round(item["score"] * 1e6) for item in preview.json()["items"]} == (
        stored_rows
    )


TEA_FIELDS = ("title", "description", "language", "kind", "province")


# --- when it fails ---


async def test_an_embedder_that_is_down_takes_nothing_else_down(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    embedder.down = True
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    embeddings, stop = world.transactions.matcher.embeddings, asyncio.Event()
    loop = asyncio.create_task(keep_embeddings(world.transactions, stop))
    while embeddings.fault is None:
        await asyncio.sleep(0.01)
    check = await embeddings.check()
    assert (check.status, check.code, check.observed) == ("warn", "embedder_down", 2)
    assert check.output == "switched off"
    assert await dense_of(ask, demand) == {"Lò sấy chè bơm nhiệt": None}
    assert await embeddings.at_once(TEA, embeddings.identity) is None
    embedder.down = False
    while embeddings.fault is not None or (await stored(world, tea))[0] is None:
        await asyncio.sleep(0.01)
    stop.set()
    await loop
    check = await embeddings.check()
    assert (check.status, check.observed) == ("pass", 0)


async def test_a_slow_embedder_does_not_hold_a_preview_up(
    world: World, embedder: WordEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE_SECONDS", 0.01)
    embedder.speaks.clear()
    embeddings = world.transactions.matcher.embeddings
    assert await embeddings.at_once(TEA, embeddings.identity) is None
    assert embedder.texts == [embeddings.text(TEA)]


async def test_a_slow_embedder_does_not_hold_events_up(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    embedder.speaks.clear()
    await world.tell(world.supply())
    waiting = asyncio.create_task(embed_some(world.transactions))
    while not embedder.asked:
        await asyncio.sleep(0.01)
    assert world.transactions.matcher.embeddings.due(None) is None
    demand = world.demand()
    await world.tell(demand)
    assert await dense_of(ask, demand) == {"Lò sấy chè bơm nhiệt": None}
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert len(world.transactions.matcher.embeddings.waiting) == 2


async def test_a_text_that_is_refused_waits_for_its_next_version(
    world: World, ask: Ask, embedder: WordEmbedder
) -> None:
    embedder.refused = "lúa"
    tea, rice, demand = world.supply(), world.supply(**RICE), world.demand()
    await world.tell(tea, rice, demand)
    await settle(world)
    identity = world.transactions.matcher.embeddings.identity
    assert await stored(world, rice) == (None, identity)
    assert (await stored(world, tea))[0] is not None
    dense = await dense_of(ask, demand)
    assert dense["Lò sấy chè bơm nhiệt"]["known"]  # type: ignore[index]
    assert not dense["Máy sấy lúa tháp"]["known"]  # type: ignore[index]
    embedder.refused = None
    await world.tell(world.later(rice, title="Tháp sấy"))
    await embed_some(world.transactions)
    assert (await stored(world, rice))[0] is not None


async def test_an_embedder_that_refuses_everything_is_at_fault_itself(
    world: World, embedder: WordEmbedder
) -> None:
    embedder.refused = ""
    tea = world.supply()
    await world.tell(tea)
    with pytest.raises(EmbedderError):
        await embed_some(world.transactions)
    assert await stored(world, tea) == (None, None)
    assert list(world.transactions.matcher.embeddings.waiting) == [tea.aggregate_id]


@pytest.mark.parametrize(
    "instead",
    [
        lambda answer: answer[:, :32],
        lambda answer: answer[:-1],
        lambda answer: answer * np.nan,
        lambda answer: answer * 0,
        lambda answer: answer / np.float32(1e-45),
    ],
    ids=["dimensions", "rows", "nan", "zeros", "infinity"],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
async def test_garbage_is_never_kept(
    world: World, ask: Ask, embedder: WordEmbedder, instead: Callable[[Matrix], Matrix]
) -> None:
    embedder.instead = instead
    tea, demand = world.supply(), world.demand()
    await world.tell(tea, demand)
    with pytest.raises(EmbedderError):
        await embed_some(world.transactions)
    assert await stored(world, tea) == (None, None)
    assert await dense_of(ask, demand) == {"Lò sấy chè bơm nhiệt": None}


async def test_a_version_that_came_meanwhile_is_embedded_again(
    world: World, embedder: WordEmbedder
) -> None:
    tea = world.supply()
    await world.tell(tea)
    embedder.speaks.clear()
    asking = asyncio.create_task(embed_some(world.transactions))
    while not embedder.asked:
        await asyncio.sleep(0.01)
    await world.tell(world.later(tea, title="Lò sấy chè gỗ"))
    embedder.speaks.set()
    await asking
    assert await stored(world, tea) == (None, None)
    while await embed_some(world.transactions):
        pass
    assert embedder.texts[-1].startswith("Lò sấy chè gỗ")


async def test_what_others_may_not_find_is_never_shown_to_an_embedder(
    world: World, embedder: WordEmbedder
) -> None:
    hidden = world.supply(visibility="PRIVATE", title="Lò sấy bí mật")
    await world.tell(hidden, world.supply("WITHDRAWN"), world.demand("ON_HOLD"))
    use(world, embedder)
    await settle(world)
    assert embedder.texts == []


async def test_what_has_left_meanwhile_is_not_shown_either(
    world: World, embedder: WordEmbedder
) -> None:
    tea = world.supply()
    await world.tell(tea)
    assert list(world.transactions.matcher.embeddings.waiting) == [tea.aggregate_id]
    await world.tell(world.later(tea, "WITHDRAWN"))
    await settle(world)
    assert embedder.texts == []
