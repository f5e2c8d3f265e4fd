"""One service behind the gateway: bytes through aiohttp, parts of combined answers through httpx.

Both use one connection pool. httpx's own transport would cost 1.2 ms a hop.
"""

import asyncio
import io
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
from yarl import URL

from gateway.clients.guard import Guard
from gateway.domain.paths import Part
from shared.http.metrics import UPSTREAM_RETRIES
from shared.http.middleware import DEADLINE_HEADER
from shared.kernel.health import Check

BUFFER_BYTES = 1024 * 1024
"""Answers up to this size are buffered (twice as fast); larger ones are streamed."""
RETRY_SECONDS = (0.02, 0.1)
HOP_SECONDS = 0.01
"""What is kept of a deadline for the way back, so that the service's own 504 comes first."""
_KEY_HEADER = "idempotency-key"
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_GATEWAY_TIMEOUT = 504

RawHeaders = list[tuple[bytes, bytes]]
_REPLY_HEADERS = frozenset(
    b"content-type etag location retry-after www-authenticate cache-control last-modified vary"
    b" content-disposition content-language idempotent-replayed allow link deprecation"
    b" sunset".split()
)
_URL_SAFE = "/%:@!$&'()*+,;=-._~?[]|^`{}\"<>\\#"


@dataclass(slots=True)
class Reply:
    """A service's answer as bytes; `rest` is there when more is to come than `content`."""

    status: int
    headers: RawHeaders
    content: bytes
    length: int | None
    rest: aiohttp.ClientResponse | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, to be combined with others."""

    status: int
    content: bytes
    headers: dict[str, str]

    def body(self) -> Any:
        """Return the parsed JSON; None when it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def code(self) -> str | None:
        """The `code` of a problem document."""
        body = self.body()
        return body.get("code") if isinstance(body, dict) else None


class Upstream:
    """Calls one service; what is called, retried and given up is decided here."""

    def __init__(
        self,
        part: Part,
        url: str,
        guard: Guard,
        session: aiohttp.ClientSession,
        client: httpx.AsyncClient,
    ) -> None:
        self.part = part
        self.guard = guard
        self._origin = str(URL(url).origin())
        self._session = session
        self._client = client

    async def send(
        self,
        method: str,
        raw_path: bytes,
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float,
    ) -> Reply:
        """Pass a request through; `raw_path` is path and query as the caller wrote them."""
        url = URL(self._origin + _as_text(raw_path), encoded=True)
        until = time.monotonic() + seconds

        async def fetch() -> Reply:
            sent = {**headers, DEADLINE_HEADER: _left(until)}
            return await self._fetch(method, url, sent, body)

        async def call() -> Reply:
            try:
                return await fetch()
            except aiohttp.ClientConnectionError as error:
                if not self._may_repeat(error, method, headers):
                    raise
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311 - jitter
            return await fetch()

        return await self.guard.run(call, seconds, lambda reply: reply.status == _GATEWAY_TIMEOUT)

    async def ask(
        self,
        path: str,
        headers: Mapping[str, str],
        seconds: float,
        *,
        query: str = "",
    ) -> Answer:
        """Ask for a part of a combined answer, and read it whole."""
        url = f"{self._origin}{path}" + (f"?{query}" if query else "")
        until = time.monotonic() + seconds

        async def get() -> httpx.Response:
            sent = {**headers, DEADLINE_HEADER: _left(until)}
            return await self._client.get(url, headers=sent)

        async def call() -> httpx.Response:
            try:
                return await get()
            except (httpx.NetworkError, httpx.ConnectTimeout) as error:
                # The transport's word for every broken connection is ConnectTimeout.
                if isinstance(error.__cause__, TimeoutError) or not self._repeats():
                    raise
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))  # noqa: S311 - jitter
            return await get()

        response = await self.guard.run(
            call, seconds, lambda answer: answer.status_code == _GATEWAY_TIMEOUT
        )
        kept = {
            name: self._relative(value.encode()).decode() if name == "location" else value
            for name, value in response.headers.items()
            if name.encode() in _REPLY_HEADERS
        }
        return Answer(response.status_code, response.content, kept)

    def _may_repeat(
        self, error: aiohttp.ClientConnectionError, method: str, headers: Mapping[str, str]
    ) -> bool:
        """Repeat what was never sent, and what does no harm when it comes twice."""
        if isinstance(error, TimeoutError):
            return False
        harmless = method in _IDEMPOTENT or _KEY_HEADER in headers
        return (harmless or isinstance(error, aiohttp.ClientConnectorError)) and self._repeats()

    def _repeats(self) -> bool:
        if not self.guard.retries.spend():
            return False
        UPSTREAM_RETRIES.labels(str(self.part)).inc()
        return True

    async def health(self, seconds: float) -> dict[str, Any] | Check:
        """Return the service's own health document, or what its silence means.

        Not a call of a caller, so not guarded: an open breaker must not hide what is going on.
        """
        limit = aiohttp.ClientTimeout(total=seconds)
        headers = {"Accept": "application/health+json"}
        try:
            async with self._session.get(
                f"{self._origin}/healthz", timeout=limit, headers=headers
            ) as response:
                document = json.loads(await response.read())
                if isinstance(document, dict) and "status" in document:
                    return document
        except TimeoutError:
            return Check("fail", "service_silent", output=f"no answer within {seconds:g} s")
        except ValueError:
            pass
        except (aiohttp.ClientError, OSError) as error:
            said = f"{type(error).__name__}: {error}"[:200]
            return Check("fail", "service_down", output=said)
        said = f"no health document at {self._origin}"
        return Check("fail", "service_unreadable", output=said)

    async def _fetch(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> Reply:
        # A large file goes out in pieces, so that others get their turn in between.
        data = io.BytesIO(body) if body and len(body) > BUFFER_BYTES else body
        response = await self._session.request(
            method, url, headers=headers, data=data, allow_redirects=False
        )
        try:
            length = response.content_length
            reply = Reply(response.status, self._kept(response.raw_headers), b"", length)
            if method == "HEAD" or (length is not None and length <= BUFFER_BYTES):
                reply.content = await response.read()
                return reply
            chunks: list[bytes] = []
            size = 0
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > BUFFER_BYTES:
                    reply.rest = response
                    break
            reply.content = b"".join(chunks)
            return reply
        except BaseException:
            response.close()
            raise

    def _kept(self, headers: tuple[tuple[bytes, bytes], ...]) -> RawHeaders:
        kept: RawHeaders = []
        for name, value in headers:
            lower = name.lower()
            if lower in _REPLY_HEADERS:
                kept.append((lower, self._relative(value) if lower == b"location" else value))
        return kept

    def _relative(self, location: bytes) -> bytes:
        """Return a Location without the service's own address, which nobody outside can use."""
        return location.removeprefix(self._origin.encode()) or b"/"


def _left(until: float) -> str:
    """Return what the service is given of the time: less with every hop and every repeat."""
    return str(max(1, int((until - time.monotonic() - HOP_SECONDS) * 1000)))


def _as_text(raw_path: bytes) -> str:
    if raw_path.isascii():
        return raw_path.decode()
    return quote(raw_path, safe=_URL_SAFE)
