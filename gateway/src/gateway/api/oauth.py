"""Access tokens for clients, and the keys that verify them."""

import base64
import binascii
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel

from gateway.settings import Settings
from gateway.usecases.tokens import TokenDesk, oauth_error
from shared.kernel.errors import BadRequestError, KetnoiError, UnauthenticatedError

router = APIRouter()

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 20
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_id": {"type": "string", "maxLength": 64},
        "client_secret": {"type": "string", "format": "password", "maxLength": 256},
        "scope": {
            "type": "string",
            "description": "Space-separated; all the client has if left out.",
        },
    },
}


class TokenOut(BaseModel):
    """RFC 6749, section 5.1."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a type, not a token
    expires_in: int
    scope: str


class JwkSet(BaseModel):
    """RFC 7517."""

    keys: list[dict[str, Any]]


@router.post(
    "/oauth/token",
    summary="Lấy mã truy cập · Get an access token",
    openapi_extra={
        "requestBody": {"required": True, "content": {FORM: {"schema": _SCHEMA}}},
        "security": [],
    },
)
async def post_token(request: Request, response: Response) -> TokenOut:
    """Get an access token for a client (OAuth 2.0 client credentials).

    Send the client's id and secret in the form or by HTTP Basic, not both.
    """
    form = await _form(request)
    client_id, secret = _credentials(request, form)
    grant = form.get("grant_type")
    if not grant:
        raise _invalid_request("`grant_type` is missing.", "Thiếu `grant_type`.")
    if grant != "client_credentials":
        raise oauth_error(
            BadRequestError,
            "unsupported_grant_type",
            "The only grant here is client_credentials.",
            "Ở đây chỉ có grant_type=client_credentials.",
        )
    desk: TokenDesk = request.app.state.tokens
    token = await desk.issue(client_id, secret, form.get("scope"))
    response.headers["Cache-Control"] = "no-store"
    response.headers["Pragma"] = "no-cache"
    return TokenOut(access_token=token.access_token, expires_in=token.expires_in, scope=token.scope)


@router.get(
    "/.well-known/jwks.json",
    summary="Khóa công khai · Public keys",
    response_model=JwkSet,
    openapi_extra={"security": []},
)
async def get_jwks(request: Request) -> FileResponse:
    """The public keys that verify access tokens (JWK Set)."""
    settings: Settings = request.app.state.settings
    return FileResponse(
        settings.jwks_path,
        media_type="application/json",
        headers={"Cache-Control": "public, max-age=300"},
    )


def _invalid_request(en: str, vi: str) -> KetnoiError:
    return oauth_error(BadRequestError, "invalid_request", en, vi)


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise _invalid_request(f"Send the form as {FORM}.", f"Hãy gửi biểu mẫu dạng {FORM}.")
    try:
        pairs = parse_qsl(
            (await request.body()).decode(),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            errors="strict",
        )
    except ValueError as error:
        raise _invalid_request("The form is unreadable.", "Không đọc được biểu mẫu.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise _invalid_request("A field is given twice.", "Một trường được gửi hai lần.")
    return form


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    header = request.headers.get("authorization")
    in_form = "client_secret" in form
    if header is not None and in_form:
        raise _invalid_request(
            "Send the secret in the form or by HTTP Basic, not both.",
            "Chỉ gửi mã bí mật trong biểu mẫu hoặc bằng HTTP Basic, không gửi cả hai.",
        )
    if header is not None:
        return _basic(header)
    if not in_form or not form.get("client_id"):
        raise oauth_error(
            UnauthenticatedError,
            "invalid_client",
            "Send `client_id` and `client_secret`, in the form or by HTTP Basic.",
            "Hãy gửi `client_id` và `client_secret`, trong biểu mẫu hoặc bằng HTTP Basic.",
        )
    return form["client_id"], form["client_secret"]


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        if not colon:
            raise ValueError("no colon")
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        return unquote_plus(client_id), unquote_plus(secret)
    except (ValueError, binascii.Error) as error:
        raise oauth_error(
            UnauthenticatedError,
            "invalid_client",
            "The Authorization header is not HTTP Basic.",
            "Tiêu đề Authorization không phải HTTP Basic.",
        ) from error
