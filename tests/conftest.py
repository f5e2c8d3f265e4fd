"""What all tests share: real servers of their own, tokens, and nothing that leaves this machine."""

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from joserfc import jwk, jwt

from ketnoi.local import LocalServers, embedded_servers
from shared.contracts.identity import ROLE_SCOPES, Role
from shared.http.auth import ALGORITHM, AUDIENCE, ISSUER


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak-seconds",
        type=int,
        default=0,
        help="go on with the fault tests for so long (`make soak`); 0: each fault once",
    )


# No test may fail for being slow.
settings.register_profile("ketnoi", deadline=None)
settings.load_profile("ketnoi")
# `pytest tests/policy --hypothesis-profile=long`: a longer look than every `make test` can take.
settings.register_profile(
    "long",
    max_examples=1000,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

CURSOR_KEY = "cursor-key-of-the-tests"


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalServers]:
    """Postgres and NATS, provisioned and migrated; one pair for the whole session."""
    async with embedded_servers(tmp_path_factory.mktemp("servers")) as running:
        yield running


@pytest.fixture(scope="session")
def signing_key() -> jwk.OKPKey:
    return jwk.OKPKey.generate_key("Ed25519", parameters={"use": "sig"}, auto_kid=True)


@pytest.fixture(scope="session")
def jwks_path(tmp_path_factory: pytest.TempPathFactory, signing_key: jwk.OKPKey) -> Path:
    path = tmp_path_factory.mktemp("keys") / "jwks.json"
    path.write_text(json.dumps({"keys": [signing_key.as_dict(private=False)]}))
    return path


TokenMaker = Callable[..., dict[str, str]]


@pytest.fixture(scope="session")
def authorization(signing_key: jwk.OKPKey) -> TokenMaker:
    """Make an Authorization header: `authorization("dost", province="19")`."""

    def make(
        role: str, tenant: str | None = None, *, seconds: int = 600, **claims: Any
    ) -> dict[str, str]:
        now = int(time.time())
        content = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": f"client-{role}-{tenant or role}",
            "iat": now,
            "exp": now + seconds,
            "role": role,
            "tenant": tenant or role,
            "scope": " ".join(sorted(ROLE_SCOPES[Role(role)])),
            **claims,
        }
        header = {"alg": ALGORITHM, "kid": signing_key.kid}
        return {
            "Authorization": "Bearer "
            + jwt.encode(header, content, signing_key, algorithms=[ALGORITHM])
        }

    return make


@pytest.fixture
def unique() -> str:
    """A name no other test uses: the database is shared by the session."""
    return uuid.uuid4().hex[:12]
