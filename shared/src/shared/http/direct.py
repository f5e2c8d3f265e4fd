"""The short way to a route: FastAPI says what it takes and documents it, this calls it.

FastAPI's own way to the same function is general and costs twice what our functions do: routers
within routers, each matched twice, three exit stacks, and every dependency solved as if it were a
route. Only uploads need that here, and they go that way. So does a request whose parameters or
body do not fit: what is wrong with it is FastAPI's to say.
"""

import email.message
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fastapi import params
from fastapi._compat import ModelField
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.parameters import UnfitError, fit, parameters_of

_OK = 200


class DirectRoutes:
    """Middleware inside FastAPI's handling of crashes: calls plain routes, leaves the rest.

    Where a request does not fit, dependencies were called in vain: they read, and change nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ways: list[_Way] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ways is None:
            self._ways = [_Way(route) for route in iter_route_contexts(scope["app"].routes)]
        route = _route_of(scope, self._ways)
        if route is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await route.answer(request)
        except UnfitError:
            await self._app(scope, _replaying(request), send)
            return
        except Exception as error:
            handlers = scope["app"].exception_handlers
            known = next((kind for kind in type(error).__mro__ if kind in handlers), Exception)
            if known is Exception:
                raise
            response = await handlers[known](request, error)
        await response(scope, receive, send)


class _Way:
    """Which requests are a route's, and the route itself if it is a plain one."""

    def __init__(self, route: RouteContext) -> None:
        self.pattern: re.Pattern[str] = route.path_regex
        self.methods = route.methods
        self.original = route.original_route
        self.converts: Mapping[str, Any] = route.param_convertors
        self.plain = _PlainRoute(route) if _is_plain(route) else None


class _PlainRoute:
    """A route that is called by us."""

    def __init__(self, route: RouteContext) -> None:
        self._call = _Call(route.dependant)
        self._takes_body = route.body_field is not None
        self._content = route.response_field
        self._status = route.status_code or _OK

    async def answer(self, request: Request) -> Response:
        """Return the answer; UnfitError when the request is not what the route takes."""
        given = _Given(request, await _json_of(request) if self._takes_body else None)
        result = await self._call.make(given)
        if isinstance(result, Response):
            return result
        known = self._content is not None
        content = await serialize_response(
            field=self._content, response_content=result, dump_json=known
        )
        kind = Response if known else JSONResponse
        answer = kind(content, self._status, media_type="application/json")
        if given.response is not None:
            answer.status_code = given.response.status_code or self._status
            answer.raw_headers += given.response.raw_headers
        return answer


class _Given:
    """What one request gives to the functions that are called for it."""

    __slots__ = ("body", "known", "request", "response")

    def __init__(self, request: Request, body: Any) -> None:
        self.request = request
        self.body = body
        self.response: Response | None = None
        """What a function says of the answer beside its content: status and headers."""
        self.known: dict[Any, Any] = {}
        """What the dependencies returned that were called already."""


class _Call:
    """A function, and where its arguments come from."""

    def __init__(self, takes: Dependant) -> None:
        assert takes.call is not None  # noqa: S101 - `_is_plain` saw it
        self._function: Callable[..., Awaitable[Any]] = takes.call
        self._needs = [(need.name, need.call, _Call(need)) for need in takes.dependencies]
        self._parameters = parameters_of(takes)
        self._takes = takes

    async def make(self, given: _Given) -> Any:
        takes, request = self._takes, given.request
        values: dict[str, Any] = {}
        for name, function, need in self._needs:
            if function not in given.known:
                given.known[function] = await need.make(given)
            if name is not None:
                values[name] = given.known[function]
        for parameter in self._parameters:
            parameter.read(request, values)
        for field in takes.body_params:
            values[field.name] = fit(*field.validate(given.body))
        if takes.request_param_name is not None:
            values[takes.request_param_name] = request
        if takes.response_param_name is not None:
            values[takes.response_param_name] = _response_of(given)
        return await self._function(**values)


def _response_of(given: _Given) -> Response:
    if given.response is None:
        given.response = Response()
        del given.response.headers["content-length"]
        given.response.status_code = 0
    return given.response


async def _json_of(request: Request) -> Any:
    content = await request.body()
    if not content or not _is_json(request.headers.get("content-type", "")):
        raise UnfitError
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnfitError from error


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    message = email.message.Message()
    message["content-type"] = content_type
    return message.get_content_type() == "application/json"


def _replaying(request: Request) -> Receive:
    """Return a `receive` for whom reads the body again."""
    body: bytes | None = getattr(request, "_body", None)
    if body is None:
        return request.receive

    async def receive() -> Message:
        nonlocal body
        if body is None:
            return await request.receive()
        message, body = {"type": "http.request", "body": body, "more_body": False}, None
        return message

    return receive


def _route_of(scope: Scope, ways: Sequence[_Way]) -> _PlainRoute | None:
    """Return the route that FastAPI would choose, if it is a plain one."""
    if scope["type"] != "http":
        return None
    path, method = scope["path"], scope["method"]
    for way in ways:
        found = way.pattern.match(path)
        if found and (not way.methods or method in way.methods):
            if way.plain is not None:
                scope["route"] = way.original
                converts = way.converts
                scope["path_params"] = {
                    name: converts[name].convert(text) for name, text in found.groupdict().items()
                }
            return way.plain
    return None


def _is_plain(route: RouteContext) -> bool:
    """Say whether the route asks for nothing but what is done here."""
    if not isinstance(route.original_route, APIRoute) or route.dependant is None:
        return False
    return (
        all(_is_whole_body(field) for field in route.dependant.body_params)
        and len(route.dependant.body_params) <= 1
        and is_body_allowed_for_status_code(route.status_code)
        and isinstance(route.response_class, DefaultPlaceholder)
        and route.response_model_by_alias
        and not route.response_model_include
        and not route.response_model_exclude
        and not route.response_model_exclude_unset
        and not route.response_model_exclude_defaults
        and not route.response_model_exclude_none
        and _is_plain_call(route.dependant)
    )


def _is_whole_body(field: ModelField) -> bool:
    return type(field.field_info) is params.Body and not field.field_info.embed


def _is_plain_call(takes: Dependant) -> bool:
    return (
        inspect.iscoroutinefunction(takes.call)
        and not takes.cookie_params
        and takes.http_connection_param_name is None
        and takes.background_tasks_param_name is None
        and takes.security_scopes_param_name is None
        and takes.use_cache
        and takes.concurrency is None
        and all(_is_plain_call(need) and not need.body_params for need in takes.dependencies)
    )
