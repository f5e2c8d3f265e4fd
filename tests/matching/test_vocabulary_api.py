"""The vocabulary over the API: found by any spelling, read with its neighbours, page by page."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from svc_matching.engine.vocabulary import load_vocabulary

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/vocabularies/technology"


async def ids(ask: Ask, role: str = "anonymous", **params: Any) -> list[str]:
    answer = await ask(PATH, role, params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize("typed", ["sấy chè", "say che", "SẤY CHÈ", "sa\u0302\u0301y che\u0300"])
async def test_a_concept_is_found_with_and_without_marks(
    world: World, ask: Ask, typed: str
) -> None:
    assert (await ids(ask, q=typed))[0] == "tea-drying"


@pytest.mark.parametrize(
    ("typed", "language"), [("tea drying", "en"), ("茶叶烘干机", "zh"), ("茶乾燥機", "ja")]
)
async def test_a_concept_is_found_in_any_language(
    world: World, ask: Ask, typed: str, language: str
) -> None:
    found = await ids(ask, q=typed)
    assert found == await ids(ask, q=typed, language=language) != []
    labels = load_vocabulary().concepts[found[0]].labels[language]
    assert typed in labels
    assert await ids(ask, q=typed, language="vi") == []


async def test_sector_broader_and_origin_narrow_the_list(world: World, ask: Ask) -> None:
    concepts = load_vocabulary().concepts
    above = concepts["tea-drying"].broader[0]
    below = {each.id for each in concepts.values() if above in each.broader}
    assert set(await ids(ask, broader=above, limit=200)) == below
    sector = concepts["tea-drying"].sector
    within = {each.id for each in concepts.values() if each.sector == sector}
    assert set(await ids(ask, sector=sector, limit=200)) == within
    assert await ids(ask, origin="CURATED") == []


async def test_a_concept_is_read_with_its_neighbours(world: World, ask: Ask) -> None:
    known = load_vocabulary()
    concept = known.concepts["tea-drying"]
    body = (await ask(f"{PATH}/tea-drying", "reader")).json()
    assert body["labels"]["vi"] == list(concept.labels["vi"])
    assert body["broader"] == list(concept.broader)
    assert (body["origin"], body["status"], body["version"]) == (
        "SHIPPED",
        "ACTIVE",
        known.version,
    )
    above = (await ask(f"{PATH}/{concept.broader[0]}", "reader")).json()
    assert "tea-drying" in above["narrower"]
    absent = await ask(f"{PATH}/tea-levitation", "reader")
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")


async def test_pages_hold_every_concept_once(world: World, ask: Ask) -> None:
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = (await ask(PATH, params={"q": "sấy", "limit": 7} | more)).json()
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        more = {"cursor": page["next_cursor"]}
    assert len(found) > 20
    assert found == await ids(ask, "operator", q="sấy", limit=200)
    other = await ask(PATH, params={"q": "khác"} | more)
    assert (other.status_code, other.json()["code"]) == (400, "cursor_mismatch")


async def test_what_ships_is_the_only_version_at_first(world: World, ask: Ask) -> None:
    page = (await ask(f"{PATH}/versions", "anonymous")).json()
    version = load_vocabulary().version
    assert [(item["version"], item["revision"]) for item in page["items"]] == [(version, 0)]
    assert (page["version"], page["in_use"]) == (version, version)
