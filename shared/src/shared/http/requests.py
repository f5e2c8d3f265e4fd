"""Small dependencies that several services' routes read from a request."""

from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.responses import Response

from shared.contracts.base import ResourceFields
from shared.db import Idempotency
from shared.http.auth import KnownCaller


async def _idempotency(
    request: Request,
    caller: KnownCaller,
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="Makes a repeated request safe; kept seven days."),
    ] = None,
) -> Idempotency | None:
    if idempotency_key is None:
        return None
    route = f"{request.method} {request.url.path}?{request.url.query}"
    return Idempotency.of(caller.client_id, idempotency_key, route, await request.body())


IdempotencyKey = Annotated[Idempotency | None, Depends(_idempotency)]


def tag(response: Response, resource: ResourceFields) -> None:
    """Set the ETag that If-Match wants back."""
    response.headers["ETag"] = f'"{resource.version}"'
