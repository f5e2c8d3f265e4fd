"""Lists and sight: the SQL condition and the pure policy are one, and pages lose nothing."""

from itertools import product
from typing import Any

import httpx
import pytest

from shared.contracts.base import Visibility, to_document
from shared.contracts.demands import Demand, DemandStatus
from shared.contracts.identity import Caller, Role
from shared.contracts.lifecycles import Change, Stored
from shared.db.database import driver_of
from shared.db.resources import Conditions
from shared.kernel.clock import utc_now
from shared.kernel.ids import new_id
from svc_demand.domain.demand_policy import may_see
from svc_demand.storage import demands as store

Headers = dict[str, str]

CALLERS = [
    Caller(),
    Caller(client_id="a", role=Role.ENTERPRISE, tenant="policy-owner"),
    Caller(client_id="b", role=Role.ENTERPRISE, tenant="other"),
    Caller(client_id="c", role=Role.READER, tenant="reader"),
    Caller(client_id="d", role=Role.DOST, tenant="dost-19", province="19"),
    Caller(client_id="e", role=Role.DOST, tenant="dost-20", province="20"),
    Caller(client_id="f", role=Role.DOST, tenant="dost-06", province="06"),
    Caller(client_id="g", role=Role.OPERATOR, tenant="most"),
    Caller(client_id="h", role=Role.OFFICE, tenant="office-kr", countries=("KR",)),
]


async def test_the_list_shows_exactly_what_the_policy_allows(transactions: Any) -> None:
    now = utc_now()
    demands = [
        Demand(
            id=new_id(),
            version=1,
            status=status,
            visibility=visibility,
            province=province,
            owner="policy-owner",
            title="t",
            created_at=now,
            updated_at=now,
        )
        for status, visibility, province in product(
            DemandStatus, Visibility, ("19", "06", "20", None)
        )
    ]
    ids = [demand.id for demand in demands]
    async with transactions.begin() as work:
        changes = [Change(Stored(demand, False), (), None, created=True) for demand in demands]
        documents = [to_document(demand) for demand in demands]
        await store.write(work.connection, store.rows_of(changes, documents))
        driver = driver_of(work.connection)
        for caller in CALLERS:
            where = Conditions()
            where.add(f"id = ANY({where.value(ids)})")
            store.show_to(caller, where)
            found = await driver.fetch(where.newest("demand", len(ids)), *where.values)
            seen = {record["id"] for record in found}
            assert seen == {demand.id for demand in demands if may_see(caller, demand)}, caller
        await driver.execute("DELETE FROM demand WHERE id = ANY($1)", ids)


async def test_an_unseen_demand_is_answered_like_an_absent_one(
    client: httpx.AsyncClient, create: Any, authorization: Any
) -> None:
    draft = await create()
    stranger = authorization("enterprise", "stranger")
    unseen = await client.get(f"/v1/demands/{draft['id']}", headers=stranger)
    absent = await client.get(f"/v1/demands/{new_id()}", headers=stranger)
    assert unseen.status_code == absent.status_code == 404
    same = ("type", "title", "status", "detail", "code")
    assert [unseen.json()[name] for name in same] == [absent.json()[name] for name in same]


async def test_visibility_counts_once_published(
    client: httpx.AsyncClient, create: Any, publish: Any, authorization: Any
) -> None:
    expected = {"PUBLIC": (200, 200, 200), "PARTNERS": (404, 404, 200), "PRIVATE": (404, 404, 404)}
    for visibility, statuses in expected.items():
        demand = await publish(await create(visibility=visibility))
        callers = ({}, authorization("reader"), authorization("provider"))
        found = [
            (await client.get(f"/v1/demands/{demand['id']}", headers=headers)).status_code
            for headers in callers
        ]
        assert tuple(found) == statuses


async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient, create: Any, owner: Headers, unique: str
) -> None:
    made = [(await create(title=f"{number}"))["id"] for number in range(7)]
    await create(kind="TRANSFER")
    query: dict[str, Any] = {"owner": f"enterprise-{unique}", "kind": "IMPROVEMENT", "limit": 3}
    seen: list[str] = []
    sizes = []
    while True:
        page = (await client.get("/v1/demands", params=query, headers=owner)).json()
        seen += [item["id"] for item in page["items"]]
        sizes.append(len(page["items"]))
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == made[::-1]
    assert sizes == [3, 3, 1]


async def test_a_cursor_belongs_to_its_list_and_its_tenant(
    client: httpx.AsyncClient, create: Any, owner: Headers, authorization: Any
) -> None:
    for _ in range(2):
        await create()
    page = await client.get("/v1/demands", params={"limit": 1}, headers=owner)
    cursor = page.json()["next_cursor"]
    for headers, query in (
        (owner, {"status": "DRAFT"}),
        (authorization("enterprise", "other"), {}),
        ({}, {}),
    ):
        answer = await client.get(
            "/v1/demands", params=query | {"limit": 1, "cursor": cursor}, headers=headers
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor_mismatch")


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("fields", ["2.11", "2.5"], ["1.1"]),
        ("industries", ["1079"], ["2011"]),
        ("language", "ko", "vi"),
        ("province", "06", "20"),
        ("enterprise_size", "SMALL", "LARGE"),
        ("open_for_interest", False, True),
        ("visibility", "PRIVATE", "PUBLIC"),
    ],
)
async def test_filters_have_the_fields_names(
    client: httpx.AsyncClient, create: Any, owner: Headers, field: str, value: Any, other: Any
) -> None:
    wanted = await create(**{field: value})
    await create(**{field: other})
    first = value[0] if isinstance(value, list) else value
    page = await client.get("/v1/demands", params={field: first, "status": "DRAFT"}, headers=owner)
    assert [item["id"] for item in page.json()["items"]] == [wanted["id"]]


async def test_a_repeated_filter_means_any_of_its_values(
    client: httpx.AsyncClient, create: Any, owner: Headers, unique: str
) -> None:
    made = [await create(kind=kind) for kind in ("TRANSFER", "INNOVATION", "APPLICATION")]
    page = await client.get(
        "/v1/demands",
        params={"owner": f"enterprise-{unique}", "kind": ["TRANSFER", "INNOVATION"]},
        headers=owner,
    )
    assert {item["id"] for item in page.json()["items"]} == {made[0]["id"], made[1]["id"]}


async def test_a_province_of_today_finds_what_was_recorded_under_a_retired_code(
    client: httpx.AsyncClient, create: Any, owner: Headers, unique: str
) -> None:
    old = await create(province="06")
    page = await client.get("/v1/demands", params={"province": "19"}, headers=owner)
    assert old["id"] in {item["id"] for item in page.json()["items"]}


@pytest.mark.parametrize(
    "query",
    ["colour=red", "limit=0", "limit=201", "limit=x", "status=GONE", "cursor=abc", "fields=9.9"],
)
async def test_an_unknown_parameter_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/demands?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
