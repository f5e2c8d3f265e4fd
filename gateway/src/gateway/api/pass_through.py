"""Requests for one service, passed through as bytes before any routing: it adds 0.3 ms."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.context import forwarded_headers, seconds_left
from gateway.clients.upstream import RawHeaders, Reply, Upstream
from gateway.domain.paths import target_of
from gateway.settings import Settings
from shared.http.problems import on_crash, problem_response
from shared.kernel.errors import KetnoiError

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_NO_CONTENT, _NOT_MODIFIED = 204, 304


class PassThroughMiddleware:
    """What belongs to a service goes there, all else to the gateway's own routes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = target_of(scope["path"]) if scope["type"] == "http" else None
        if target is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = target
        state = scope["app"].state
        upstream: Upstream = state.upstreams[target.part]
        try:
            reply = await _ask(upstream, state.settings, scope, receive)
        except KetnoiError as error:
            await problem_response(Request(scope), error)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - there is no outer handler here
            await (await on_crash(Request(scope), error))(scope, receive, send)
        else:
            await _give(reply, scope["method"], send)


async def _ask(upstream: Upstream, settings: Settings, scope: Scope, receive: Receive) -> Reply:
    method: str = scope["method"]
    path: bytes = scope["raw_path"]
    if scope["query_string"]:
        path += b"?" + scope["query_string"]
    body = None
    if method not in _BODILESS:
        body = (await receive()).get("body")  # whole: the body limit has gathered it
    seconds = seconds_left(scope, settings.upstream_seconds)
    return await upstream.send(method, path, forwarded_headers(scope), body, seconds)


async def _give(reply: Reply, method: str, send: Send) -> None:
    headers = reply.headers + _length(reply, method)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = {"type": "http.response.body", "body": reply.content}
    if reply.rest is None:
        await send(body)
        return
    async with reply.rest:
        await send(body | {"more_body": True})
        async for chunk in reply.rest.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _length(reply: Reply, method: str) -> RawHeaders:
    if reply.rest is not None or method == "HEAD" or reply.status == _NOT_MODIFIED:
        length = reply.length
    elif reply.status == _NO_CONTENT:
        length = None
    else:
        length = len(reply.content)
    return [] if length is None else [(b"content-length", str(length).encode())]
