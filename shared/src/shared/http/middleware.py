"""What happens to every request before any route sees it, as plain ASGI: it costs microseconds."""

import json
import time

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.contracts.imports import MAX_FILE_BYTES
from shared.http.problems import MEDIA_TYPE, prefers_english, problem_body
from shared.telemetry import get_logger, start_trace

log = get_logger("http")

MAX_BODY_BYTES = 512 * 1024
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 64 * 1024
"""The file's limit and room for the multipart frame."""
SLOW_SECONDS = 1.0

REQUESTS = Counter("http_requests_total", "Requests", ["method", "route", "status"])
SECONDS = Histogram(
    "http_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class TelemetryMiddleware:
    """Request id and trace in and out, RED metrics, a log line for what is slow or refused."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace = start_trace(headers.get("x-request-id"), headers.get("traceparent"))
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = trace.request_id
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "other")
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(scope["method"], route).observe(seconds)
            if status >= 500 or seconds > SLOW_SECONDS:  # noqa: PLR2004
                log.warning(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round(seconds * 1000, 1),
                )


class BodyLimitMiddleware:
    """Counts the bytes that really arrive; compressed requests are not accepted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if headers.get("content-encoding", "identity") != "identity":
            await _refuse(
                scope,
                send,
                415,
                "content_encoding",
                "Send the body uncompressed.",
                "Hãy gửi nội dung không nén.",
            )
            return
        limit = MAX_UPLOAD_BYTES if scope["path"] == "/v1/imports" else MAX_BODY_BYTES
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await self._too_large(scope, send, limit)
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
                await self._too_large(scope, send, limit)
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

    @staticmethod
    async def _too_large(scope: Scope, send: Send, limit: int) -> None:
        await _refuse(
            scope,
            send,
            413,
            "too_large",
            f"The body is larger than {limit // 1024} KiB.",
            f"Nội dung lớn hơn {limit // 1024} KiB.",
        )


async def _refuse(scope: Scope, send: Send, status: int, code: str, en: str, vi: str) -> None:
    english = prefers_english(Headers(scope=scope).get("accept-language"))
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
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
