"""The private key that signs access tokens: one JWK in a file that only the gateway reads."""

import json
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.http.auth import ALGORITHM, AUDIENCE, ISSUER


class SigningKeyError(RuntimeError):
    """The key file is missing or is not an Ed25519 private key."""


class TokenSigner:
    """Signs claims as this suite's tokens."""

    def __init__(self, path: Path) -> None:
        try:
            self._key = OKPKey.import_key(json.loads(path.read_text()))
            if not self._key.is_private:
                raise ValueError("it holds no private key")
        except (OSError, ValueError, JoseError) as error:
            raise SigningKeyError(f"cannot use the signing key {path}: {error}") from error
        self._header = {"alg": ALGORITHM, "kid": self._key.kid or self._key.thumbprint()}

    def sign(self, claims: dict[str, Any]) -> str:
        """Return a compact JWS; issuer and audience are added here."""
        content = {"iss": ISSUER, "aud": AUDIENCE} | claims
        return jwt.encode(self._header, content, self._key, algorithms=[ALGORITHM])
