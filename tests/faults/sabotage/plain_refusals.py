"""Refusals are a line of text."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from shared.http import app


async def _on_refusal(_: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(str(error), status_code=409)


app.on_refusal = _on_refusal
