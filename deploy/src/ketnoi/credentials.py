"""Passwords and keys of a local suite: made once, kept in KETNOI_HOME, never printed."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketnoi.errors import LauncherError
from ketnoi.home import Home, explained, read_json, write_json, write_private
from ketnoi.services import SERVICES

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """`postgres` and `nats` hold one password per service's role, and one for ADMIN."""

    postgres: dict[str, str]
    nats: dict[str, str]
    cursor_key: str


def load_credentials(home: Home) -> Credentials:
    """Read what an earlier start made; add what is missing and nothing else.

    An embedded database without its passwords is refused: new ones would not open it.
    """
    stored = read_json(home.credentials)
    if stored is None and (home.postgres / "PG_VERSION").exists():
        raise LauncherError(
            f"{home.postgres} holds data, but {home.credentials}, which holds its passwords, is"
            " missing. Put the file back, or set KETNOI_HOME to another folder to start afresh."
        )
    stored = stored or {}
    names = (ADMIN, *(service.role for service in SERVICES))
    credentials = Credentials(
        postgres=_completed(stored.get("postgres", {}), names),
        nats=_completed(stored.get("nats", {}), names),
        cursor_key=stored.get("cursor_key") or secrets.token_urlsafe(32),
    )
    wanted = {
        "postgres": credentials.postgres,
        "nats": credentials.nats,
        "cursor_key": credentials.cursor_key,
    }
    if wanted != stored:
        write_json(home.credentials, wanted)
    return credentials


def _completed(passwords: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: secrets.token_urlsafe(24) for name in names} | passwords


@dataclass(frozen=True, slots=True)
class Keys:
    """The gateway signs with one file; every service verifies with the other."""

    signing: Path
    public: Path


def load_keys(home: Home) -> Keys:
    """Make the token signing key (Ed25519) once, and the public set from it."""
    keys = Keys(home.keys / "signing.jwk", home.keys / "jwks.json")
    if not keys.signing.exists():
        write_private(keys.signing, json.dumps(_new_key().as_dict(private=True), indent=2) + "\n")
        keys.public.unlink(missing_ok=True)
    if not keys.public.exists():
        write_private(keys.public, json.dumps({"keys": [_public(keys.signing)]}, indent=2) + "\n")
    return keys


def _new_key() -> "OKPKey":
    from joserfc.jwk import OKPKey  # only the first start needs it

    return OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}, auto_kid=True)


def _public(path: Path) -> dict[str, object]:
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    with explained(path):
        try:
            return dict(OKPKey.import_key(json.loads(path.read_text())).as_dict(private=False))
        except (JoseError, ValueError) as error:
            raise LauncherError(
                f"{path} is damaged ({error}). Put a copy of it back, or move it away:"
                " a new key is made, and tokens given out before are refused."
            ) from error
