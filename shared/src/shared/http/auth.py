"""Who calls: Bearer tokens of the gateway, verified by every service for itself."""

import time
import warnings
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet

from shared.contracts.identity import Caller, Role, Scope
from shared.kernel.errors import ForbiddenError, UnauthenticatedError
from shared.kernel.health import Check

# RFC 9864 renames the algorithm to Ed25519; "EdDSA" is what integrators' libraries know.
ALGORITHM = "EdDSA"
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)

ISSUER = "ketnoi"
AUDIENCE = "ketnoi-api"
_CACHE_SIZE = 2048
_RELOAD_SECONDS = 10.0
SKEW_SECONDS = 5.0
SKEW_KEPT_SECONDS = 60.0
"""A token that was issued in the future is remembered for so long."""


def _unauthenticated(code: str, en: str, vi: str) -> UnauthenticatedError:
    return UnauthenticatedError(code, en, vi, headers={"WWW-Authenticate": "Bearer"})


class TokenVerifier:
    """Checks signature, issuer, audience and time against the JWKS file."""

    def __init__(self, jwks_path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = jwks_path
        self._now = now
        self._keys: KeySet | None = None
        self._loaded_at = 0.0
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=5,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._verified: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
        self._ahead = 0.0
        self._ahead_until = 0.0

    async def clock_check(self) -> Check:
        """Tokens that were issued in the future tell of two clocks that differ."""
        if self._now() < self._ahead_until:
            return Check("warn", "token_clock_skew", round(self._ahead, 1), "s")
        return Check("pass")

    def _compare_clocks(self, issued_at: object) -> None:
        if isinstance(issued_at, int | float) and issued_at - self._now() > SKEW_SECONDS:
            self._ahead = issued_at - self._now()
            self._ahead_until = self._now() + SKEW_KEPT_SECONDS

    def verify(self, token: str) -> Caller:
        """Return the caller; UnauthenticatedError when the token is not good (any more)."""
        known = self._verified.get(token)
        if known is not None and known[0] > self._now():
            return known[1]
        caller, expires_at = self._decode(token)
        self._verified[token] = (expires_at, caller)
        if len(self._verified) > _CACHE_SIZE:
            self._verified.popitem(last=False)
        return caller

    def _decode(self, token: str) -> tuple[Caller, float]:
        try:
            claims = self._decode_with_reload(token)
            self._compare_clocks(claims.get("iat"))
            self._claims.validate(claims)
            caller = Caller(
                client_id=str(claims["sub"]),
                role=Role(claims["role"]),
                tenant=str(claims["tenant"]),
                scopes=frozenset(str(claims.get("scope", "")).split()),
                province=claims.get("province"),
                countries=tuple(claims.get("countries", ())),
            )
            return caller, float(claims["exp"])
        except JoseError as error:
            if error.error == "expired_token":
                raise _unauthenticated(
                    "token_expired",
                    "The token has expired; get a new one from /oauth/token.",
                    "Mã truy cập đã hết hạn; hãy lấy mã mới ở /oauth/token.",
                ) from error
            raise self._invalid() from error
        except (KeyError, ValueError, TypeError) as error:
            raise self._invalid() from error

    def _decode_with_reload(self, token: str) -> jwt.Claims:
        try:
            return jwt.decode(token, self._key_set(), algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            # The key may have been rotated since; look again, but not for every bad token.
            if time.monotonic() - self._loaded_at < _RELOAD_SECONDS:
                raise
            self._keys = None
            return jwt.decode(token, self._key_set(), algorithms=[ALGORITHM]).claims

    def _key_set(self) -> KeySet:
        if self._keys is None:
            import json

            self._keys = KeySet.import_key_set(json.loads(self._path.read_text()))
            self._loaded_at = time.monotonic()
        return self._keys

    @staticmethod
    def _invalid() -> UnauthenticatedError:
        return _unauthenticated(
            "token_invalid",
            "The token is not valid here; get one from /oauth/token.",
            "Mã truy cập không hợp lệ; hãy lấy mã ở /oauth/token.",
        )


async def caller_of(request: Request) -> Caller:
    """Dependency: the caller; without a token, an anonymous reader of public data.

    Dependencies are coroutines even when they wait for nothing: FastAPI sends plain functions
    through its thread pool, which costs more than the work.
    """
    header = request.headers.get("authorization")
    if header is None:
        return Caller()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthenticated(
            "token_invalid",
            "Send `Authorization: Bearer <token>`.",
            "Hãy gửi `Authorization: Bearer <token>`.",
        )
    verifier: TokenVerifier = request.app.state.verifier
    return verifier.verify(token.strip())


AnyCaller = Annotated[Caller, Depends(caller_of)]


async def known_caller(caller: AnyCaller) -> Caller:
    """Dependency: a caller with a token; 401 without."""
    if caller.role is Role.ANONYMOUS:
        raise _unauthenticated(
            "token_required",
            "This needs a token; get one from /oauth/token.",
            "Cần mã truy cập; hãy lấy mã ở /oauth/token.",
        )
    return caller


KnownCaller = Annotated[Caller, Depends(known_caller)]


def require_scope(scope: Scope) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a dependency that refuses callers without `scope`: 401 unknown, 403 known."""

    async def check(caller: KnownCaller) -> Caller:
        if scope not in caller.scopes:
            raise ForbiddenError(
                "scope_missing",
                f"This needs the scope {scope}.",
                f"Cần quyền {scope}.",
                extra={"scope": str(scope)},
            )
        return caller

    return check
