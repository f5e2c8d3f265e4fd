"""What of a request goes on to the services."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from gateway.clients.parts import Parts
from gateway.clients.upstream import Answer
from gateway.settings import Settings
from shared.http.middleware import deadline_of
from shared.telemetry import current_trace

_FORWARDED = {
    name.encode(): name
    for name in (
        "authorization",
        "content-type",
        "accept",
        "accept-language",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "idempotency-key",
        "tracestate",
    )
}


def forwarded_headers(scope: Scope) -> dict[str, str]:
    """Return the headers that mean something to a service, and the ids of the trace."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name = _FORWARDED.get(raw_name)
        if name is not None:
            value = raw_value.decode("utf-8", "replace")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    trace = current_trace()
    if trace is not None:
        headers["x-request-id"] = trace.request_id
        headers["traceparent"] = trace.traceparent
    return headers


def seconds_left(scope: Scope, most: float) -> float:
    """Return the time this request may take: ours, or less when the caller says so."""
    asked = deadline_of(scope["headers"])
    return most if asked is None else min(most, max(asked, 0.001))


def parts_of(request: Request) -> Parts:
    """Return the services, for an answer that is essentially one service's."""
    settings: Settings = request.app.state.settings
    seconds = seconds_left(request.scope, settings.upstream_seconds)
    return Parts(request.app.state.upstreams, forwarded_headers(request.scope), seconds)


def parallel_parts_of(request: Request) -> Parts:
    """Return the services, for an answer that waits for several: less time for each.

    Such an answer has no ETag, so nothing conditional is asked.
    """
    settings: Settings = request.app.state.settings
    headers = forwarded_headers(request.scope)
    headers.pop("if-none-match", None)
    headers.pop("if-modified-since", None)
    seconds = seconds_left(request.scope, settings.part_seconds)
    return Parts(request.app.state.upstreams, headers, seconds)


def as_response(answer: Answer) -> Response:
    """Return a service's answer, or one of our own, to the caller."""
    return Response(answer.content, answer.status, headers=answer.headers)
