"""The HTTP embedder against a small server on loopback that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from svc_matching.clients import embeddings_http
from svc_matching.clients.embeddings_http import HttpEmbedder
from svc_matching.engine.embedding import EmbedderError, TextKind, TextRefusedError

KEY = "key-of-the-tests"


class StandIn:
    """Answers with the next of `answers`, and with vectors when none is left."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.silent = False
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        if self.silent:
            await asyncio.sleep(30)
        return self.answers.pop(0) if self.answers else vectors(self.bodies[-1]["input"])


def vectors(texts: list[str], dimensions: int = 3) -> web.Response:
    """Text number n gets n in all places; the last row comes first, as servers may do."""
    rows = [{"index": n, "embedding": [float(n + 1)] * dimensions} for n in range(len(texts))]
    return web.json_response({"object": "list", "data": rows[::-1], "usage": {}})


@pytest.fixture
async def server() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    app = web.Application()
    app.router.add_post("/v1/embeddings", stand_in.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stand_in.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/embeddings"
    yield stand_in
    await runner.cleanup()


Make = Callable[..., HttpEmbedder]


@pytest.fixture
async def make(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    monkeypatch.setattr(embeddings_http, "_PAUSE_SECONDS", 0.001)
    made: list[HttpEmbedder] = []

    def embedder(**given: Any) -> HttpEmbedder:
        made.append(HttpEmbedder(given.pop("url", server.url), "tiny", 3, key=KEY, **given))
        return made[-1]

    yield embedder
    for each in made:
        await each.close()


def embed(embedder: HttpEmbedder, *texts: str) -> Awaitable[Any]:
    return embedder.embed(texts or ("tea",), TextKind.QUERY)


async def test_each_text_gets_its_own_row(server: StandIn, make: Make) -> None:
    answer = await embed(make(), "tea", "rice", "trà")
    assert answer.dtype == np.float32
    assert answer.tolist() == [[1.0] * 3, [2.0] * 3, [3.0] * 3]
    assert server.bodies == [
        {"model": "tiny", "input": ["tea", "rice", "trà"], "encoding_format": "float"}
    ]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_each_kind_has_its_prefix_and_prefixes_make_another_version(
    server: StandIn, make: Make
) -> None:
    embedder = make(prefixes=("query: ", "passage: "))
    await embedder.embed(["tea"], TextKind.QUERY)
    await embedder.embed(["tea"], TextKind.PASSAGE)
    assert [body["input"] for body in server.bodies] == [["query: tea"], ["passage: tea"]]
    versions = {make(prefixes=each).version for each in (("", ""), ("a", ""), ("", "a"))}
    assert len(versions) == 3


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_busy_server_is_asked_again(server: StandIn, make: Make, status: int) -> None:
    server.answers = [web.Response(status=status, headers={"Retry-After": "0"}) for _ in range(2)]
    assert (await embed(make())).shape == (1, 3)
    assert len(server.bodies) == 3


async def test_a_server_that_stays_busy_is_given_up(server: StandIn, make: Make) -> None:
    server.answers = [web.Response(status=503, text="loading") for _ in range(9)]
    with pytest.raises(EmbedderError, match="503: loading") as raised:
        await embed(make())
    assert not isinstance(raised.value, TextRefusedError)
    assert len(server.bodies) == 3


@pytest.mark.parametrize(("status", "times"), [(400, 1), (413, 1), (422, 1), (500, 3)])
async def test_a_text_may_be_refused(server: StandIn, make: Make, status: int, times: int) -> None:
    server.answers = [web.Response(status=status, text="input too long") for _ in range(times)]
    with pytest.raises(TextRefusedError, match=f"{status}: input too long"):
        await embed(make())
    assert len(server.bodies) == times


@pytest.mark.parametrize("status", [301, 401, 403, 404])
async def test_a_wrong_key_or_address_is_said_at_once(
    server: StandIn, make: Make, status: int
) -> None:
    server.answers = [web.Response(status=status, headers={"Location": server.url})]
    with pytest.raises(EmbedderError, match=f"{status}") as raised:
        await embed(make())
    assert not isinstance(raised.value, TextRefusedError)
    assert server.url in str(raised.value)
    assert KEY not in str(raised.value)
    assert len(server.bodies) == 1


async def test_keys_in_the_address_are_not_told(server: StandIn, make: Make) -> None:
    server.answers = [web.Response(status=403)]
    url = server.url.replace("http://", "http://me:hidden@") + "?api-key=hidden"
    with pytest.raises(EmbedderError, match="403") as raised:
        await embed(make(url=url))
    assert server.url in str(raised.value)
    assert "hidden" not in str(raised.value)


def answer(*rows: Any) -> str:
    return json.dumps({"data": [{"index": n, "embedding": row} for n, row in enumerate(rows)]})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<html>", "not an answer with embeddings"),
        ('{"error": "no such model"}', "not an answer with embeddings"),
        (answer([1, 2, "x"]), "not an answer with embeddings"),
        (answer(), "wanted 1 vectors, got 0"),
        (answer([1, 2, 3], [1, 2, 3]), "wanted 1 vectors, got 2"),
        ('{"data": [{"index": 7, "embedding": [1, 2, 3]}]}', "wanted 1 vectors"),
        (answer([1, 2]), "KETNOI_EMBEDDINGS_DIMENSIONS"),
        (answer([1, 2, 3]) + " " * 100_000, "the answer is longer than"),
    ],
)
async def test_garbage_is_told_apart(server: StandIn, make: Make, body: str, told: str) -> None:
    server.answers = [web.Response(text=body)]
    with pytest.raises(EmbedderError, match=told):
        await embed(make())


async def test_a_number_that_is_none_is_left_to_who_packs_it(server: StandIn, make: Make) -> None:
    server.answers = [web.Response(text=answer([1, None, 3])), web.Response(text=answer([1, 2, 3]))]
    assert np.isnan(await embed(make())).tolist() == [[False, True, False]]


async def test_silence_has_an_end(server: StandIn, make: Make) -> None:
    server.silent = True
    with pytest.raises(EmbedderError, match=r"no answer within 0\.1 s"):
        await embed(make(timeout_seconds=0.1))


async def test_nobody_there_is_said(make: Make, unused_tcp_port: int) -> None:
    with pytest.raises(EmbedderError, match="ConnectError"):
        await embed(make(url=f"http://127.0.0.1:{unused_tcp_port}/v1/embeddings"))
