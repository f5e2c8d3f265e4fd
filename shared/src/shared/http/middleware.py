"""What happens to every request before any route sees it, as plain ASGI: it costs microseconds."""

import asyncio
import json
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.imports import MAX_FILE_BYTES
from shared.http.metrics import count_request
from shared.http.problems import MEDIA_TYPE, prefers_english, problem_body
from shared.telemetry import get_logger, start_trace

log = get_logger("http")

MAX_BODY_BYTES = 512 * 1024
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 64 * 1024
"""The file's limit and room for the multipart frame."""
SLOW_SECONDS = 1.0
LOGGED_A_SECOND = 5
"""Lines about refused requests; more would only say the same again and fill the disk."""
DEADLINE_HEADER = "X-Request-Deadline-Ms"
"""How long the caller will wait. It shrinks with every hop."""
_DEADLINE = DEADLINE_HEADER.lower().encode()
_LONGEST_DEADLINE_MS = 600_000
_DIGITS = 9
_SERVER_ERROR = 500
_PROBES = frozenset({"/livez", "/startupz", "/readyz", "/healthz"})
"""Their 503 is their answer, asked for again and again."""

RawHeaders = Iterable[tuple[bytes, bytes]]


def header_of(headers: RawHeaders, wanted: bytes) -> str | None:
    """Return the first value of a header; `wanted` is in small letters, as ASGI gives names."""
    for name, value in headers:
        if name == wanted:
            return value.decode("latin-1")
    return None


def deadline_of(headers: RawHeaders) -> float | None:
    """Return the seconds that the caller gives, if it says so readably."""
    text = header_of(headers, _DEADLINE)
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(int(text[:_DIGITS]), _LONGEST_DEADLINE_MS) / 1000


class TelemetryMiddleware:
    """Request id and trace in and out, RED metrics, a log line for what is slow or refused.

    Once the service is leaving, every answer is the last one on its connection, so that callers
    have gone elsewhere before the connections are closed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._logged = Rationed(LOGGED_A_SECOND)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = traceparent = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"traceparent":
                traceparent = value.decode("latin-1")
        trace = start_trace(request_id, traceparent)
        added = [(b"x-request-id", trace.request_id.encode())]
        if scope["app"].state.health.draining:
            added.append((b"connection", b"close"))
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            count_request(scope["method"], route, status, seconds)
            wrong = status >= _SERVER_ERROR and route not in _PROBES
            if wrong or seconds > SLOW_SECONDS:
                self._log(scope, status, seconds)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        if (unsaid := self._logged.allows()) is not None:
            more = {"unsaid": unsaid} if unsaid else {}
            ms = round(seconds * 1000, 1)
            path = scope["path"]
            log.warning("request", method=scope["method"], path=path, status=status, ms=ms, **more)


class Rationed:
    """Says whether a line may be written now, and how many were not since the last one."""

    def __init__(self, a_second: int) -> None:
        self._a_second = a_second
        self._second = 0
        self._written = 0
        self._unsaid = 0

    def allows(self) -> int | None:
        """Return how many lines were swallowed since the last one; None swallows this one."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self._a_second:
            self._unsaid += 1
            return None
        self._written += 1
        unsaid, self._unsaid = self._unsaid, 0
        return unsaid


class DeadlineMiddleware:
    """Works for a caller no longer than it waits: its query is cancelled, it gets a 504.

    A cancelled query is cancelled in the server as well, and its transaction rolled back.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = deadline_of(scope["headers"]) if scope["type"] == "http" else None
        if seconds is None:
            await self._app(scope, receive, send)
            return
        started = False
        try:
            async with asyncio.timeout(seconds) as limit:

                async def send_in_time(message: Message) -> None:
                    nonlocal started
                    if not started:
                        started = True
                        limit.reschedule(None)  # an answer that has begun is finished
                    await send(message)

                await self._app(scope, receive, send_in_time)
        except TimeoutError:
            if started or not limit.expired():
                raise
            await refuse(
                scope,
                send,
                504,
                "deadline_exceeded",
                "There was not enough time to answer. A write may have happened:"
                " repeat it with the same Idempotency-Key.",
                "Không đủ thời gian để trả lời. Thao tác ghi có thể đã được thực hiện:"
                " hãy gửi lại với cùng Idempotency-Key.",
                retry_after=1,
            )


class BodyLimitMiddleware:
    """Counts the bytes that really arrive; compressed requests are not accepted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        if (header_of(scope["headers"], b"content-encoding") or "identity") != "identity":
            en, vi = "Send the body uncompressed.", "Hãy gửi nội dung không nén."
            await refuse(scope, send, 415, "content_encoding", en, vi, close=True)
            return
        limit = MAX_UPLOAD_BYTES if scope["path"] == "/v1/imports" else MAX_BODY_BYTES
        declared = header_of(scope["headers"], b"content-length") or "0"
        if declared.isdigit() and int(declared) > limit:
            await _too_large(scope, send, limit)
            return
        # Buffer up to the limit: only then is it certain that nothing half-read reaches a route.
        chunks: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                await _too_large(scope, send, limit)
                return
            chunks.append(chunk)
            more = message.get("more_body", False)
        body = b"".join(chunks)
        delivered = False

        async def receive_body() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, receive_body, send)


async def _too_large(scope: Scope, send: Send, limit: int) -> None:
    size = limit // 1024
    en, vi = f"The body is larger than {size} KiB.", f"Nội dung lớn hơn {size} KiB."
    await refuse(scope, send, 413, "too_large", en, vi, close=True)


async def refuse(
    scope: Scope,
    send: Send,
    status: int,
    code: str,
    en: str,
    vi: str,
    *,
    close: bool = False,
    retry_after: int | None = None,
) -> None:
    """Answer with a problem document where no route and no handler is at hand."""
    english = prefers_english(header_of(scope["headers"], b"accept-language"))
    body = problem_body(
        status=status,
        code=code,
        detail=en if english else vi,
        instance=scope["path"],
        english=english,
    )
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(raw)).encode()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
