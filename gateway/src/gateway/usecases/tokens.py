"""Access tokens by the OAuth 2.0 client-credentials grant (RFC 6749, section 4.4)."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from gateway.domain.clients import Client, UnknownScopeError
from gateway.storage.clients import find_enabled
from gateway.storage.signing_key import TokenSigner
from gateway.usecases.secrets import SecretHasher
from shared.db import Database
from shared.kernel.errors import BadRequestError, KetnoiError, UnauthenticatedError

REMEMBERED = 1024
REMEMBER_SECONDS = 60.0
"""A disabled client, or a replaced secret, can get tokens for this much longer."""
MAX_ID_LENGTH = 64
MAX_SECRET_LENGTH = 256


def oauth_error(kind: type[KetnoiError], error: str, en: str, vi: str) -> KetnoiError:
    """Return a refusal that is an RFC 6749 error and a problem document at once."""
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    if kind is UnauthenticatedError:
        headers["WWW-Authenticate"] = 'Basic realm="ketnoi"'
    return kind(error, en, vi, extra={"error": error, "error_description": en}, headers=headers)


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token and what its holder should know."""

    access_token: str
    expires_in: int
    scope: str


class TokenDesk:
    """Checks a client's secret and writes its token.

    A right (client, secret) pair is remembered for a minute, as a digest under a key of this
    process, so that a client that asks for a token with every call costs no hashing.
    """

    def __init__(
        self,
        database: Database,
        signer: TokenSigner,
        seconds: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._signer = signer
        self._seconds = seconds
        self._now = now
        self._hasher = SecretHasher()
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, tuple[float, Client]] = OrderedDict()

    async def issue(self, client_id: str, secret: str, scope: str | None) -> Token:
        """Return a token; `invalid_client` for unknown, disabled and wrong alike."""
        client = await self._authenticate(client_id, secret)
        if client is None:
            raise oauth_error(
                UnauthenticatedError,
                "invalid_client",
                "The client is unknown or its secret is wrong.",
                "Không có ứng dụng này hoặc mã bí mật sai.",
            )
        try:
            granted = " ".join(client.scopes(scope))
        except UnknownScopeError as error:
            raise oauth_error(
                BadRequestError,
                "invalid_scope",
                "The client may not have one of these scopes; leave `scope` out to get all it has.",
                "Ứng dụng không có một trong các quyền này; bỏ `scope` để nhận mọi quyền hiện có.",
            ) from error
        claims = client.claims(granted, int(self._now()), self._seconds)
        return Token(self._signer.sign(claims), self._seconds, granted)

    async def _authenticate(self, client_id: str, secret: str) -> Client | None:
        pair = hmac.new(self._key, f"{client_id}\0{secret}".encode(), hashlib.sha256).digest()
        remembered = self._right.get(pair)
        if remembered and remembered[0] > self._now():
            return remembered[1]
        usable = len(client_id) <= MAX_ID_LENGTH and len(secret) <= MAX_SECRET_LENGTH
        stored = None
        if usable and "\0" not in client_id:
            async with self._database.read() as connection:
                stored = await find_enabled(connection, client_id)
        fits = await self._hasher.verify(
            stored.secret_hash if stored else None, secret[:MAX_SECRET_LENGTH]
        )
        if stored is None or not fits:
            return None
        self._right[pair] = (self._now() + REMEMBER_SECONDS, stored.client)
        if len(self._right) > REMEMBERED:
            self._right.popitem(last=False)
        return stored.client
