"""The four services and the connection pool they share."""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from gateway.clients.guard import Guard
from gateway.clients.upstream import Upstream
from gateway.domain.paths import Part

KEEPALIVE_SECONDS = 30
"""Shorter than the services' 75 s, so that a kept connection is not closed under a request."""
_AUTO_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")

Upstreams = Mapping[Part, Upstream]


@asynccontextmanager
async def open_upstreams(
    urls: Mapping[Part, str],
    *,
    slots: int,
    queue: int,
    connect_seconds: float,
    seconds: float,
    part_seconds: float,
) -> AsyncIterator[Upstreams]:
    """Open the pool; the bulkheads bound the connections, so the pool itself does not."""
    patience = min(seconds, part_seconds)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds, sock_read=seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTO_HEADERS,
        auto_decompress=False,
        requote_redirect_url=False,
    )
    # aiohttp would repeat beside us; what is repeated is decided, and counted, in one place.
    session._retry_connection = False  # noqa: SLF001 - there is no public way
    # TLS is the session's; an empty context only spares httpx the loading of certificates.
    transport = AiohttpTransport(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    client = httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(seconds, connect=connect_seconds),
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
    )
    async with session, client:
        yield {
            part: Upstream(part, url, Guard(part, slots, queue, patience=patience), session, client)
            for part, url in urls.items()
        }
