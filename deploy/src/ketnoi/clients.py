"""The API clients that a local start seeds: one of each role, to try the suite with."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ketnoi.home import Home, read_json, write_json


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedClient:
    """Who may call the API, and as whom; see contract.md «Identity»."""

    client_id: str
    role: str
    tenant: str
    province: str | None = None
    countries: tuple[str, ...] = ()


# Province codes are those of the General Statistics Office: 19 is Thái Nguyên, 33 is Hưng Yên.
# A second DOST and a second enterprise let integrators see what neighbours do not see.
SEED_CLIENTS = (
    SeedClient(client_id="operator", role="operator", tenant="most"),
    SeedClient(client_id="dost-19", role="dost", tenant="dost-19", province="19"),
    SeedClient(client_id="dost-33", role="dost", tenant="dost-33", province="33"),
    SeedClient(client_id="office-kr", role="office", tenant="office-kr", countries=("KR",)),
    SeedClient(client_id="enterprise", role="enterprise", tenant="enterprise-1", province="19"),
    SeedClient(client_id="enterprise-2", role="enterprise", tenant="enterprise-2", province="33"),
    SeedClient(client_id="provider", role="provider", tenant="provider-1"),
    SeedClient(client_id="exchange", role="exchange", tenant="exchange-1"),
    SeedClient(client_id="intermediary", role="intermediary", tenant="intermediary-1"),
    SeedClient(client_id="reporter", role="reporter", tenant="reporter-1"),
    SeedClient(client_id="ops", role="ops", tenant="ops"),
    SeedClient(client_id="reader", role="reader", tenant="reader"),
)


def load_clients(home: Home) -> list[dict[str, Any]]:
    """Return the clients with their secrets; new ones get theirs now, and it stays."""
    stored = read_json(home.dev_clients) or {}
    secrets_of = {
        client.client_id: {
            "client_id": client.client_id,
            "client_secret": stored.get(client.client_id, {}).get("client_secret")
            or secrets.token_urlsafe(24),
        }
        for client in SEED_CLIENTS
    }
    if stored | secrets_of != stored:
        write_json(home.dev_clients, stored | secrets_of)
    return [asdict(client) | secrets_of[client.client_id] for client in SEED_CLIENTS]


async def seed(database_url: str, clients: Sequence[Mapping[str, Any]]) -> None:
    """Let the gateway store them, as it stores every client."""
    from gateway.usecases.clients import seed_clients  # what it takes to hash secrets

    await seed_clients(database_url, clients)
