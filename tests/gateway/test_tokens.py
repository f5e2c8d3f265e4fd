"""Clients get tokens that every service accepts; nobody else does."""

import asyncio
import json
import time
from collections import OrderedDict
from typing import Any

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, select, update

from gateway.domain.clients import Client
from gateway.storage.clients import client_table, metadata
from gateway.storage.signing_key import SigningKeyError, TokenSigner
from gateway.usecases import secrets as secrets_module
from gateway.usecases.clients import seed_clients
from gateway.usecases.secrets import SecretHasher
from shared.contracts.identity import ROLE_SCOPES, Caller, Role
from shared.db import Database
from shared.http.auth import TokenVerifier

SECRET = "a-secret-of-the-tests"
GRANT = {"grant_type": "client_credentials"}


def seed(client_id: str, role: str = "dost", **changes: Any) -> dict[str, Any]:
    base = {"client_id": client_id, "client_secret": SECRET, "role": role, "tenant": "t-1"}
    return base | {"province": None, "countries": ()} | changes


@pytest.fixture(scope="session")
async def house(open_house, database_url):
    clients = [
        seed("dost-19", tenant="dost-19", province="19"),
        seed("office-kr", "office", countries=("KR", "JP")),
        seed("reader: ü", "reader", client_secret="a secret+with:odd ü%"),
        seed("disabled"),
    ]
    await seed_clients(database_url.get_secret_value(), clients)
    async with open_house(database_url=database_url) as opened:
        yield opened


async def ask(house, **form: str) -> httpx.Response:
    return await house.client.post("/oauth/token", data=GRANT | form)


async def test_a_client_gets_a_token_that_the_services_accept(house, jwks_path) -> None:
    response = await ask(house, client_id="dost-19", client_secret=SECRET)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert set(body["scope"].split()) == {str(scope) for scope in ROLE_SCOPES[Role.DOST]}
    caller = TokenVerifier(jwks_path).verify(body["access_token"])
    assert caller == Caller(
        client_id="dost-19",
        role=Role.DOST,
        tenant="dost-19",
        scopes=frozenset(body["scope"].split()),
        province="19",
    )
    soon = TokenVerifier(jwks_path, now=lambda: time.time() + 3590)
    soon.verify(body["access_token"])
    late = TokenVerifier(jwks_path, now=lambda: time.time() + 3700)
    with pytest.raises(Exception, match="expired"):
        late.verify(body["access_token"])


async def test_countries_are_a_claim_of_those_who_have_them(house, jwks_path) -> None:
    response = await ask(house, client_id="office-kr", client_secret=SECRET)
    caller = TokenVerifier(jwks_path).verify(response.json()["access_token"])
    assert caller.countries == ("KR", "JP")
    assert caller.province is None


async def test_http_basic_is_form_encoded_inside(house) -> None:
    good = httpx.BasicAuth("reader%3A+%C3%BC", "a+secret%2Bwith%3Aodd+%C3%BC%25")
    response = await house.client.post("/oauth/token", data=GRANT, auth=good)
    assert response.status_code == 200, response.text


async def test_fewer_scopes_may_be_asked_for_and_no_others(house) -> None:
    creds = {"client_id": "dost-19", "client_secret": SECRET}
    response = await ask(house, **creds, scope="matches:read")
    assert response.json()["scope"] == "matches:read"
    response = await ask(house, **creds, scope="matches:read supplies:write")
    assert response.status_code == 400
    assert response.json()["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("status", "error", "request_"),
    [
        (401, "invalid_client", {"data": GRANT | {"client_id": "dost-19", "client_secret": "x"}}),
        (401, "invalid_client", {"data": GRANT | {"client_id": "nobody", "client_secret": SECRET}}),
        (401, "invalid_client", {"data": GRANT | {"client_id": "a\0b", "client_secret": SECRET}}),
        (401, "invalid_client", {"data": GRANT | {"client_id": "x" * 99, "client_secret": "y"}}),
        (401, "invalid_client", {"data": GRANT}),
        (401, "invalid_client", {"data": GRANT, "headers": {"Authorization": "Basic !!!"}}),
        (401, "invalid_client", {"data": GRANT, "headers": {"Authorization": "Bearer abc"}}),
        (
            400,
            "unsupported_grant_type",
            {"data": {"grant_type": "password", "client_id": "dost-19", "client_secret": SECRET}},
        ),
        (400, "invalid_request", {"data": {"client_id": "dost-19", "client_secret": SECRET}}),
        (400, "invalid_request", {"json": GRANT}),
        (400, "invalid_request", {"content": b"\xff=1"}),
        (400, "invalid_request", {"content": b"client_id=a&client_id=b"}),
        (
            400,
            "invalid_request",
            {"data": GRANT | {"client_id": "a", "client_secret": "b"}, "auth": ("a", "b")},
        ),
    ],
)
async def test_a_refusal_is_an_oauth_error_and_a_problem(
    house, status: int, error: str, request_: dict[str, Any]
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    if "content" in request_:
        request_ = request_ | {"headers": form}
    response = await house.client.post("/oauth/token", **request_)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in response.headers) == (status == 401)
    body = response.json()
    assert body["error"] == body["code"] == error
    assert body["error_description"]
    assert body["status"] == status


async def test_a_disabled_client_gets_nothing_and_seeding_does_not_revive_it(
    house, database_url
) -> None:
    url = database_url.get_secret_value()
    database = Database(url, pool_size=1)
    async with database.begin() as connection:
        disable = update(client_table).where(client_table.c.client_id == "disabled")
        await connection.execute(disable.values(disabled=True))
    await seed_clients(url, [seed("disabled", "reader")])
    assert (await ask(house, client_id="disabled", client_secret=SECRET)).status_code == 401
    await database.close()


async def test_seeding_again_changes_only_what_is_new(database_url, unique: str) -> None:
    url = database_url.get_secret_value()
    clients = [seed(f"{unique}-1"), seed(f"{unique}-2", "office", countries=("KR",))]
    assert await seed_clients(url, clients) == 2
    assert await seed_clients(url, clients) == 0
    clients[0] = seed(f"{unique}-1", province="20")
    clients[1] = clients[1] | {"client_secret": "another-secret-now"}
    assert await seed_clients(url, clients) == 2
    database = Database(url, pool_size=1)
    async with database.read() as connection:
        rows = await connection.execute(
            select(client_table).where(client_table.c.client_id.like(f"{unique}%"))
        )
        found = {row.client_id: row for row in rows}
    await database.close()
    assert found[f"{unique}-1"].province == "20"
    assert found[f"{unique}-2"].countries == ["KR"]
    assert SECRET not in found[f"{unique}-1"].secret_hash
    with pytest.raises(ValueError, match="role"):
        await seed_clients(url, [seed("x", "king")])


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were compared, each at full cost."""
    compared: list[str] = []
    real = secrets_module._fits

    def counted(secret_hash: str, secret: str) -> bool:
        compared.append(secret_hash)
        return real(secret_hash, secret)

    monkeypatch.setattr(secrets_module, "_fits", counted)
    return compared


async def test_repeated_requests_cost_no_hashing(house, hashed: list[str]) -> None:
    creds = {"client_id": "dost-19", "client_secret": SECRET}
    await ask(house, **creds)
    before = len(hashed)
    for _ in range(10):
        assert (await ask(house, **creds)).status_code == 200
    assert len(hashed) == before


async def test_unknown_clients_take_as_long_as_wrong_secrets(hashed: list[str]) -> None:
    """Both cost one comparison with a hash of the same parameters."""
    hasher = SecretHasher()
    stored = await hasher.hash(SECRET)
    assert await hasher.verify(stored, "wrong") is False
    assert await hasher.verify(None, "wrong") is False
    cost = [found.rpartition("$")[0].rpartition("$")[0] for found in hashed]
    assert len(cost) == 2
    assert cost[0] == cost[1]
    assert await hasher.verify(stored, SECRET) is True


async def test_too_many_checks_at_once_are_refused() -> None:
    hasher = SecretHasher()
    results = await asyncio.gather(
        *(hasher.verify(None, "x") for _ in range(40)), return_exceptions=True
    )
    assert sum(isinstance(result, Exception) for result in results) == 8


async def test_the_public_keys_are_served(house, signing_key) -> None:
    response = await house.client.get("/.well-known/jwks.json")
    assert response.headers["content-type"].startswith("application/json")
    key = response.json()["keys"][0]
    assert key["kid"] == signing_key.kid
    assert "d" not in key


async def test_the_memory_of_right_secrets_is_bounded(house, monkeypatch) -> None:
    monkeypatch.setattr("gateway.usecases.tokens.REMEMBERED", 1)
    monkeypatch.setattr(house.app.state.tokens, "_right", OrderedDict())
    for client_id in ("dost-19", "office-kr", "dost-19"):
        assert (await ask(house, client_id=client_id, client_secret=SECRET)).status_code == 200
    assert len(house.app.state.tokens._right) == 1


@pytest.mark.parametrize("content", [None, "{", '{"kty": "OKP"}'])
def test_an_unusable_signing_key_is_named(tmp_path, content: str | None) -> None:
    path = tmp_path / "signing.jwk"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SigningKeyError, match=r"signing\.jwk"):
        TokenSigner(path)


def test_a_public_key_cannot_sign(tmp_path, signing_key) -> None:
    path = tmp_path / "signing.jwk"
    path.write_text(json.dumps(signing_key.as_dict(private=False)))
    with pytest.raises(SigningKeyError, match="no private key"):
        TokenSigner(path)


def test_a_client_without_a_province_has_no_such_claim() -> None:
    client = Client(client_id="a", role=Role.READER, tenant="t")
    claims = client.claims("x", 100, 60)
    assert claims["exp"] == 160
    assert not {"province", "countries"} & claims.keys()


async def test_the_migration_makes_what_the_code_expects(database_url) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "include_object": _not_alembic}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    database = Database(database_url.get_secret_value(), pool_size=1)
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


def _not_alembic(_: Any, name: str, kind: str, *__: Any) -> bool:
    return not (kind == "table" and name == "alembic_version")
