"""Who may call the API: registering clients."""

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.domain.clients import Client
from gateway.storage.clients import StoredClient, find_clients, save_clients
from gateway.usecases.secrets import SecretHasher
from shared.contracts.identity import Role
from shared.contracts.values import CountryCode, ProvinceCode
from shared.db import Database


class ClientSeed(BaseModel):
    """A client to register, with its secret in clear."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    client_id: str = Field(min_length=1, max_length=64)
    client_secret: str = Field(min_length=16, max_length=256, repr=False)
    role: Role
    tenant: str = Field(min_length=1, max_length=64)
    province: ProvinceCode | None = None
    countries: tuple[CountryCode, ...] = ()

    def client(self) -> Client:
        return Client(**self.model_dump(exclude={"client_secret"}))


async def seed_clients(database_url: str, clients: Sequence[Any]) -> int:
    """Register clients (mappings or objects); return how many were new or changed.

    A repeated call changes nothing, and a client that the operators disabled stays disabled.
    """
    seeds = [ClientSeed.model_validate(client) for client in clients]
    database = Database(database_url, pool_size=1, name="gateway-seed")
    try:
        async with database.begin() as connection:
            known = await find_clients(connection, [seed.client_id for seed in seeds])
            hasher = SecretHasher()
            checked = await asyncio.gather(
                *(_if_changed(hasher, seed, known.get(seed.client_id)) for seed in seeds)
            )
            changed = [stored for stored in checked if stored is not None]
            if changed:
                await save_clients(connection, changed)
            return len(changed)
    finally:
        await database.close()


async def _if_changed(
    hasher: SecretHasher, seed: ClientSeed, known: StoredClient | None
) -> StoredClient | None:
    if known and await hasher.verify(known.secret_hash, seed.client_secret):
        if known.client == seed.client():
            return None
        return StoredClient(seed.client(), known.secret_hash)
    return StoredClient(seed.client(), await hasher.hash(seed.client_secret))
