"""What the vocabulary has no word for is counted, for curators and for nobody else."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from svc_matching.engine.tagging import uncovered
from svc_matching.engine.untagged import MAX_WORDS, Tally, phrases_in
from svc_matching.engine.vocabulary import load_vocabulary
from svc_matching.usecases import untagged

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/vocabularies/technology/untagged"


def said(text: str, language: str) -> set[str]:
    return set(phrases_in(text, language).values())


def test_what_a_label_covers_is_left_out() -> None:
    assert list(uncovered("dùm vặc sấy chè nhoáng nhoàng", "vi")) == [
        ["dùm", "vặc"],
        ["nhoáng", "nhoàng"],
    ]
    assert list(uncovered("dum vac say che", "vi")) == [["dum", "vac"]]
    assert list(uncovered("quxmotor Teetrocknungsanlagen quux", "de")) == [["quxmotor"], ["quux"]]


@pytest.mark.parametrize(
    ("text", "language", "wanted", "unwanted"),
    [
        ("Cần máy dùm vặc, loại tốt", "vi", {"dùm vặc"}, {"sấy chè", "vặc loại", "dùm"}),
        ("The zorbulator for tea drying", "en", {"zorbulator"}, {"the", "tea drying", "for"}),
        ("Ein Zorbulator für die Halle", "de", {"Zorbulator"}, {"für", "Zorbulator Halle"}),
        ("조르불레이터를 판매", "ko", {"조르불레이터"}, {"르불", "를 판"}),
        ("ゾルブレータの販売", "ja", {"ゾルブレータ"}, {"タの", "タ販"}),
        ("佐布尔器,茶叶烘干机", "zh", {"佐布尔器"}, {"茶叶", "器茶"}),
        ("40 kW, 12 m3/h", "en", set(), {"40", "12"}),
        ("", "vi", set(), {""}),
    ],
)
def test_phrases_are_words_of_the_language(
    text: str, language: str, wanted: set[str], unwanted: set[str]
) -> None:
    found = said(text, language)
    assert wanted <= found
    assert not unwanted & found


def test_a_long_text_is_looked_at_as_far_as_there_is_room() -> None:
    assert len(phrases_in("dùm vặc " * 4000, "vi")) < 10
    many = " ".join(f"quux{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}" for n in range(600))
    assert len(phrases_in(many, "en")) <= 3 * MAX_WORDS


def test_a_phrase_inside_a_longer_one_of_the_same_texts_is_left_out() -> None:
    tally = Tally("vi")
    for text in ("máy dùm vặc", "máy dùm vặc", "xe dùm vặc", "máy nhoáng"):
        tally.add(uuid4(), phrases_in(text, "vi"))
    counted = {phrase: len(ids) for phrase, ids in tally.frequent()}
    assert counted == {"máy dùm vặc": 2, "dùm vặc": 3}


async def test_published_texts_are_counted_by_side(world: World, ask: Ask) -> None:
    wanting = [world.demand(title=f"Máy dùm vặc số {n}") for n in range(3)]
    offering = [world.supply(title="Bộ dùm vặc", visibility="PRIVATE")]
    gone = [world.supply("WITHDRAWN", title="dùm vặc"), world.demand("ON_HOLD", title="dùm vặc")]
    korean = [world.supply(title="조르불레이터", description="", language="ko") for _ in range(2)]
    await world.tell(*wanting, *offering, *gone, *korean)
    report = (await ask(PATH)).json()
    assert (report["texts_read"], report["version"]) == (6, load_vocabulary().version)
    found = {item["phrase"]: item for item in report["items"]}
    item = found["dùm vặc"]
    assert (item["language"], item["texts"], item["demands"], item["supplies"]) == ("vi", 4, 3, 1)
    told = [str(event.aggregate_id) for event in (*reversed(wanting), *offering)]
    assert item["sample_ids"] == told
    assert found["조르불레이터"]["supplies"] == 2
    assert not any("sấy chè" in phrase for phrase in found)
    counts = [item["texts"] for item in report["items"]]
    assert counts == sorted(counts, reverse=True)
    only = (await ask(PATH, params={"language": "ko", "limit": 1})).json()["items"]
    assert [item["phrase"] for item in only] == ["조르불레이터"]


@pytest.mark.parametrize(
    ("role", "status"),
    [("office", 403), ("dost", 403), ("ops", 403), ("reader", 403), ("anonymous", 401)],
)
async def test_it_is_for_curators(world: World, ask: Ask, role: str, status: int) -> None:
    answer = await ask(PATH, role)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["scope"] == "vocabularies:curate"


async def test_a_curator_who_is_no_operator_counts_what_it_may_see(world: World, ask: Ask) -> None:
    title = "Máy dùm vặc"
    await world.tell(
        world.demand(title=title, visibility="PRIVATE"),
        world.demand(title=title, visibility="PARTNERS"),
        world.supply(title=title, visibility="PRIVATE"),
        world.supply(title=title),
    )

    async def texts(**claims: Any) -> int:
        answer = await ask(PATH, scope="vocabularies:curate", **claims)
        assert answer.status_code == 200
        return int(answer.json()["texts_read"])

    assert await texts(role="operator") == 4
    assert await texts(role="provider", tenant="somebody") == 2
    assert await texts(role="provider", tenant="office-kr") == 3
    assert await texts(role="reader", tenant="somebody") == 1


async def test_only_the_newest_texts_are_read(
    world: World, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.tell(*(world.supply(title="Bộ dùm vặc") for _ in range(9)))
    monkeypatch.setattr(untagged, "MAX_TEXTS", 4)
    monkeypatch.setattr(untagged, "BATCH", 2)
    assert (await ask(PATH)).json()["texts_read"] == 4


async def test_one_report_at_a_time(world: World, ask: Ask, app: Any) -> None:
    async with app.state.untagged._turn:
        answer = await ask(PATH)
    assert (answer.status_code, answer.json()["code"]) == (503, "report_busy")
    assert answer.headers["retry-after"]
