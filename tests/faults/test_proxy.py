"""The fault proxy itself: each fault does what its name says, and nothing after it is mended."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from faults.proxy import Proxy, Way

Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def link() -> AsyncIterator[Proxy]:
    """Leads to a server that answers every line with the line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line)
        writer.transport.abort()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    proxy = await Proxy(server.sockets[0].getsockname()[1]).start()
    yield proxy
    await proxy.close()
    server.close()


@asynccontextmanager
async def connected(link: Proxy) -> AsyncIterator[Pair]:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def echo(pair: Pair, text: bytes = "chè\n".encode()) -> bytes:
    pair[1].write(text)
    return await asyncio.wait_for(pair[0].readline(), 2)


async def test_delay_and_drip_slow_down(link: Proxy) -> None:
    async with connected(link) as pair:
        assert await echo(pair) == "chè\n".encode()
        link.delay = 0.05
        started = time.monotonic()
        await echo(pair)
        assert time.monotonic() - started >= 0.1
        link.mend()
        link.drip = 1000
        started = time.monotonic()
        assert len(await echo(pair, b"x" * 99 + b"\n")) == 100
        assert time.monotonic() - started >= 0.09


async def test_a_cut_link_resets_old_and_new_connections_until_it_is_mended(link: Proxy) -> None:
    async with connected(link) as pair:
        await echo(pair)
        with link.outage():
            with pytest.raises(ConnectionError):
                assert await pair[0].read() != b""
            async with connected(link) as other:
                with pytest.raises(ConnectionError):
                    assert await echo(other) != b""
    async with connected(link) as pair:
        assert await echo(pair)


@pytest.mark.parametrize("way", list(Way))
async def test_a_half_open_link_says_nothing_and_loses_nothing(link: Proxy, way: Way) -> None:
    async with connected(link) as pair:
        link.hold(frozenset({way}))
        pair[1].write(b"held\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pair[0].readline(), 0.05)
        link.mend()
        assert await pair[0].readline() == b"held\n"


async def test_answers_are_lost_after_the_upstream_has_given_them(link: Proxy) -> None:
    link.lose = lambda answer: answer.startswith(b"lost")
    async with connected(link) as pair:
        assert await echo(pair, b"kept\n") == b"kept\n"
        with pytest.raises(ConnectionError):
            assert await echo(pair, b"lost\n") != b""
    assert link.lost == 1


async def test_an_answer_is_cut_in_the_middle(link: Proxy) -> None:
    link.cut_after = 5
    async with connected(link) as pair:
        assert await echo(pair, b"four\n") == b"four\n"
        with pytest.raises(ConnectionError):
            assert await echo(pair, b"more\n") != b""
