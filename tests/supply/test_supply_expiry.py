"""Supplies end when their day is over, once, and not a minute earlier."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.outbox import Transactions
from svc_supply.storage import tables
from svc_supply.usecases.housekeeping import forget_old
from svc_supply.usecases.supply_expiry import expire_supplies

Headers = dict[str, str]
LAST_MOMENT = datetime(2090, 5, 1, 16, 59, 59, tzinfo=UTC)  # 23:59:59 in Vietnam
OVER = datetime(2090, 5, 1, 17, 0, 0, tzinfo=UTC)


def at(transactions: Transactions, moment: datetime) -> Transactions:
    database = transactions.database
    return Transactions(
        database, tables.messaging, source="ketnoi/svc-supply", clock=lambda: moment
    )


async def test_a_supply_expires_after_its_day_in_vietnam_and_only_once(
    client: httpx.AsyncClient,
    owner: Headers,
    create: Any,
    publish: Any,
    facts: Any,
    transactions: Transactions,
) -> None:
    supply = await publish(await create(available_until="2090-05-01"))
    path = f"/v1/supplies/{supply['id']}"
    await expire_supplies(at(transactions, LAST_MOMENT))
    assert (await client.get(path, headers=owner)).json()["status"] == "PUBLISHED"
    await asyncio.gather(*(expire_supplies(at(transactions, OVER)) for _ in range(4)))
    ended = (await client.get(path, headers=owner)).json()
    assert (ended["status"], ended["version"]) == ("EXPIRED", 5)
    assert [fact for fact, _ in await facts(supply["id"])].count("expired") == 1
    told = (await client.get(f"{path}/transitions", headers=owner)).json()
    assert (told["items"][-1]["actor"], told["items"][-1]["role"]) == ("system", "system")


async def test_stored_answers_are_kept_for_a_week(
    client: httpx.AsyncClient, owner: Headers, transactions: Transactions, unique: str
) -> None:
    async def send() -> str:
        headers = owner | {"Idempotency-Key": unique}
        answer = await client.post("/v1/supplies", json={"title": "t"}, headers=headers)
        found: str = answer.json()["id"]
        return found

    first = await send()
    await forget_old(transactions)
    assert await send() == first
    await forget_old(at(transactions, OVER))
    assert await send() != first
