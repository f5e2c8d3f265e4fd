"""One policy for a match by its id (asked in Python) and for a supply's list (asked in SQL)."""

import json
import re
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import httpx
import pytest

from shared.contracts.base import Visibility
from shared.contracts.identity import ROLE_SCOPES, Caller, Role
from svc_matching.domain.items import Item, ItemKind
from svc_matching.domain.matches import may_read_match, may_see_supply

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

CALLERS: list[tuple[str, str, str | None]] = [
    ("operator", "most", None),
    ("office", "office-kr", None),
    ("enterprise", "office-kr", None),
    ("enterprise", "enterprise-1", None),
    ("enterprise", "enterprise-2", None),
    ("dost", "office-kr", "19"),
    ("dost", "office-kr", "06"),
    ("dost", "office-kr", "33"),
    ("dost", "dost-19", "19"),
    ("dost", "dost-33", "33"),
    ("exchange", "exchange-1", None),
]


def caller_of(role: str, tenant: str, province: str | None) -> Caller:
    scopes = frozenset(str(scope) for scope in ROLE_SCOPES[Role(role)])
    return Caller(client_id="c", role=Role(role), tenant=tenant, province=province, scopes=scopes)


def item_of(event: Any, kind: ItemKind) -> Item:
    body = json.loads(event.data)
    return Item(
        id=event.aggregate_id,
        kind=kind,
        version=1,
        status=body["status"],
        owner=body["owner"],
        visibility=Visibility(body.get("visibility", "PUBLIC")),
        province=body.get("province"),
    )


async def test_a_supplys_list_and_its_matches_one_by_one_are_under_one_policy(
    world: World, ask: Ask
) -> None:
    supply = world.supply()
    demands = [
        world.demand(visibility=visibility, owner=owner, province=province)
        for visibility, owner, province in product(
            Visibility, ("enterprise-1", "office-kr"), ("19", "06", "33", None)
        )
    ]
    await world.tell(supply, *demands)
    path = f"/v1/supplies/{supply.aggregate_id}/matches"
    whole = (await ask(path, params={"limit": 100})).json()["items"]
    ids = {item["demand_id"]: item["id"] for item in whole}
    assert len(ids) == len(demands)
    offered = item_of(supply, ItemKind.SUPPLY)
    for role, tenant, province in CALLERS:
        claims = {"province": province} if province else {}
        caller = caller_of(role, tenant, province)
        readable = {
            str(demand.aggregate_id)
            for demand in demands
            if may_read_match(caller, item_of(demand, ItemKind.DEMAND), offered)
        }
        one_by_one = {
            demand_id
            for demand_id, match_id in ids.items()
            if (await ask(f"/v1/matches/{match_id}", role, tenant, **claims)).status_code == 200
        }
        assert one_by_one == readable, (role, tenant, province)
        answer = await ask(path, role, tenant, params={"limit": 100}, **claims)
        if role == "operator" or tenant == offered.owner:
            assert {item["demand_id"] for item in answer.json()["items"]} == readable, (
                role,
                tenant,
            )
        else:
            assert answer.status_code == 404


@pytest.mark.parametrize("status", ["PUBLISHED", "ON_HOLD", "EXPIRED"])
async def test_a_private_supply_is_matched_with_nobody(world: World, ask: Ask, status: str) -> None:
    demand = world.demand()
    private = world.supply(status, visibility="PRIVATE")
    own = world.supply(status, visibility="PRIVATE", owner="enterprise-1")
    partners = world.supply(status, visibility="PARTNERS")
    await world.tell(private, own, partners, demand)
    path = f"/v1/demands/{demand.aggregate_id}"
    listed = (await ask(f"{path}/matches", "enterprise", "enterprise-1")).json()["items"]
    missed = (await ask(f"{path}/diagnosis", "enterprise", "enterprise-1")).json()["near_misses"]
    found = {entry["supply_id"] for entry in [*listed, *missed]}
    assert found == {str(partners.aggregate_id)}
    await world.tell(world.later(partners, visibility="PRIVATE"))
    diagnosis = (await ask(f"{path}/diagnosis", "enterprise", "enterprise-1")).json()
    assert (diagnosis["diagnosis"], diagnosis["near_misses"]) == ("NO_SUPPLY", [])
    assert (await ask(f"{path}/matches")).json()["items"] == []


@pytest.mark.parametrize("status", ["ON_HOLD", "FLAGGED", "WITHDRAWN", "DRAFT"])
async def test_an_old_match_says_nothing_of_a_supply_that_is_not_shown_now(
    world: World, ask: Ask, status: str
) -> None:
    demand, supply = world.demand(), world.supply()
    await world.tell(supply, demand)
    (item,) = (await ask(f"/v1/demands/{demand.aggregate_id}/matches")).json()["items"]
    path = f"/v1/matches/{item['id']}"
    later = world.later(
        supply,
        status,
        title="Lò sấy chè bí mật",
        price={"min": 77_000_000_000, "currency": "VND"},
        requires={"skills": 5},
    )
    await world.tell(later)
    offered = item_of(later, ItemKind.SUPPLY)
    for role, tenant, province in CALLERS:
        claims = {"province": province} if province else {}
        answer = await ask(path, role, tenant, **claims)
        if answer.status_code != 200:
            continue
        shown = may_see_supply(caller_of(role, tenant, province), offered)
        assert (answer.json()["supply"] is not None) is shown, (role, tenant)
        assert ("bí mật" in answer.text) is shown, (role, tenant)
        assert answer.json()["state"] == "STALE"
        assert bool(re.search(r"77[ .,]?000", answer.text)) is shown
