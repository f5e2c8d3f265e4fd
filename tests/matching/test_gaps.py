"""Diagnoses added up: every demand once, for those who may count it, and no single one told of."""

import asyncio
import importlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from itertools import count, product
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text, update

from shared.contracts.base import Visibility
from shared.contracts.identity import ROLE_SCOPES, Caller, Role
from shared.contracts.matches import DiagnosisCode, ReasonCode
from svc_matching.domain.gaps import Counted, GapGrouping, add_up
from svc_matching.domain.items import Item, ItemKind
from svc_matching.domain.matches import is_visible_to
from svc_matching.storage import tables

World = Any
Ask = Callable[..., Awaitable[httpx.Response]]

PATH = "/v1/gaps"
THAI_NGUYEN = {"19", "06"}
GROUPINGS = ["province", "field", "industry", "year"]
CANARY = "kanari"

KINDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "MATCHED": ({}, []),
    "NO_SUPPLY": ({"title": "In titan", "description": "Bột kim loại laser."}, []),
    "MISMATCH": (
        {"excluded_countries": ["VN"], "trl_min": 9},
        ["EXCLUDED_COUNTRY", "TRL_LOW"],
    ),
    "NO_RESOURCES": ({"budget": {"max": 1, "currency": "VND"}}, ["BUDGET_SHORT"]),
}
"""What a demand says to get a diagnosis from the one supply below, and the reasons it gets."""


CALLERS: list[tuple[str, str, str | None]] = [
    ("operator", "most", None),
    ("office", "office-kr", None),
    ("enterprise", "enterprise-1", None),
    ("enterprise", "enterprise-3", None),
    ("dost", "dost-19", "19"),
    ("dost", "dost-06", "06"),
    ("dost", "office-kr", "33"),
    ("dost", "dost-nowhere", None),
]


def caller_of(role: str, tenant: str, province: str | None) -> Caller:
    scopes = frozenset(str(scope) for scope in ROLE_SCOPES[Role(role)])
    return Caller(client_id="c", role=Role(role), tenant=tenant, province=province, scopes=scopes)


def supply(world: World) -> Any:
    return world.supply(trl=6, price={"min": 2_000_000_000, "currency": "VND"})


def demand(world: World, kind: str = "MATCHED", **said: Any) -> Any:
    return world.demand(**KINDS[kind][0] | said)


def total_of(cells: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Add cells up again; None as soon as one of them is withheld."""
    cells = list(cells)
    demands = sum(cell["demands"] for cell in cells)
    if any(cell["diagnoses"] is None for cell in cells):
        return {"demands": demands, "diagnoses": None}
    summed: Counter[str] = Counter()
    for cell in cells:
        summed.update({each["diagnosis"]: each["demands"] for each in cell["diagnoses"]})
    return {"demands": demands, "diagnoses": {code: n for code, n in summed.items() if n}}


def plain(counts: dict[str, Any]) -> dict[str, Any]:
    told = counts["diagnoses"]
    if told is None:
        return {"demands": counts["demands"], "diagnoses": None}
    assert sum(each["demands"] for each in told) == counts["demands"]
    diagnoses = {each["diagnosis"]: each["demands"] for each in told if each["demands"]}
    return {"demands": counts["demands"], "diagnoses": diagnoses}


async def gaps(ask: Ask, role: str = "operator", tenant: str | None = None, **asked: Any) -> Any:
    claims = asked.pop("claims", {})
    answer = await ask(PATH, role, tenant, params=asked, **claims)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_demand_counts_once_in_each_grouping(world: World, ask: Ask) -> None:
    await world.tell(
        supply(world),
        demand(world, "MATCHED", fields=["2.11", "2.2"], industries=["1079", "2829"]),
        demand(world, "MISMATCH", fields=["2.11"], province="06"),
        demand(world, "MISMATCH", fields=["4.1"], province="33", updated_at="2024-05-01T00:00:00Z"),
        demand(world, "NO_RESOURCES", industries=["2829"], province=None),
        demand(world, "NO_SUPPLY", province="33"),
        demand(world, "NO_SUPPLY"),
    )
    found = await gaps(ask)
    assert plain(found["total"]) == {
        "demands": 6,
        "diagnoses": {"MATCHED": 1, "MISMATCH": 2, "NO_RESOURCES": 1, "NO_SUPPLY": 2},
    }
    assert [group["by"] for group in found["groups"]] == GROUPINGS
    sizes = {
        group["by"]: {cell["value"]: cell["demands"] for cell in group["cells"]}
        for group in found["groups"]
    }
    assert sizes == {
        "province": {"19": 3, "33": 2, None: 1},
        "field": {None: 3, "2.11": 2, "4.1": 1},
        "industry": {None: 4, "1079": 1, "2829": 1},
        "year": {"2026": 5, "2024": 1},
    }
    assert not any(cell["others"] for group in found["groups"] for cell in group["cells"])
    assert found["total"]["reasons"] == [
        {"code": "EXCLUDED_COUNTRY", "demands": 2},
        {"code": "TRL_LOW", "demands": 2},
        {"code": "BUDGET_SHORT", "demands": 1},
    ]
    (years,) = (await gaps(ask, group_by="year"))["groups"]
    (of_2024,) = (cell for cell in years["cells"] if cell["value"] == "2024")
    assert plain(of_2024) == {"demands": 1, "diagnoses": {"MISMATCH": 1}}
    assert [each["code"] for each in of_2024["reasons"]] == ["EXCLUDED_COUNTRY", "TRL_LOW"]


FILTERS: list[tuple[dict[str, Any], dict[str, set[str]]]] = [
    ({}, {}),
    ({"province": "19"}, {"province": THAI_NGUYEN}),
    ({"province": "06"}, {"province": THAI_NGUYEN}),
    ({"province": "33"}, {"province": {"33"}}),
    ({"field": "2"}, {"field": {"2.11", "2.2"}}),
    ({"field": "2.11"}, {"field": {"2.11"}}),
    ({"field": "2.1"}, {"field": set()}),
    ({"industry": "1079"}, {"industry": {"1079"}}),
    ({"year": 2025}, {"year": {"2025"}}),
    ({"year": 2024}, {"year": set()}),
    ({"field": "2.11", "year": 2026, "province": "33"}, {"field": {"2.11"}, "province": {"33"}}),
]
"""What is asked, and the values that a row must have."""


async def test_sums_add_up_for_every_caller_and_filter(world: World, ask: Ask) -> None:
    """By a model that walks through the rows; what a caller may not see does not count."""
    rows, events = [], []
    kinds = (list(KINDS)[number % 4] for number in count())
    for visibility, owner, province, (field, year) in product(
        Visibility,
        ("enterprise-1", "office-kr"),
        ("19", "06", "33", None),
        (("2.11", "2026"), ("2.2", "2025"), ("4.1", "2026")),
    ):
        kind = next(kinds)
        event = demand(
            world, kind, visibility=visibility, owner=owner, province=province, fields=[field],
            industries=["1079"] if field == "2.11" else [], updated_at=f"{year}-03-01T00:00:00Z",
        )  # fmt: skip
        item = Item(
            event.aggregate_id, ItemKind.DEMAND, 1, "PUBLISHED", owner, visibility, province
        )
        rows.append({"item": item, "kind": kind, "province": province, "field": field,
                     "year": year, "industry": "1079" if field == "2.11" else None})  # fmt: skip
        events.append(event)
    await world.tell(supply(world), *events)
    for (role, tenant, province), (asked, kept) in product(CALLERS, FILTERS):
        caller = caller_of(role, tenant, province)
        mine = [
            row
            for row in rows
            if is_visible_to(caller, row["item"])
            and all(row[name] in values for name, values in kept.items())
        ]
        claims = {"province": province} if province else {}
        found = await gaps(ask, role, tenant, claims=claims, **asked)
        where = (role, tenant, province, asked)
        told = dict(Counter(row["kind"] for row in mine))
        withheld = role != "operator" and 0 < len(mine) < 3
        expected = {"demands": len(mine), "diagnoses": None if withheld else told}
        assert plain(found["total"]) == expected, where
        for group in found["groups"]:
            assert total_of(group["cells"]) == expected, where
            _check_cells(group, mine, is_operator=role == "operator")


def _check_cells(group: dict[str, Any], mine: list[Any], *, is_operator: bool) -> None:
    by = group["by"]
    wanted: dict[Any, Counter[str]] = {}
    for row in mine:
        value = "19" if by == "province" and row[by] in THAI_NGUYEN else row[by]
        wanted.setdefault(value, Counter())[row["kind"]] += 1
    for cell in group["cells"]:
        if cell["others"]:
            assert not is_operator
            assert cell["diagnoses"] is None or cell["demands"] >= 3
            continue
        assert is_operator or cell["demands"] >= 3
        assert plain(cell)["diagnoses"] == dict(wanted[cell["value"]])
    shown = {cell["value"] for cell in group["cells"] if not cell["others"]}
    assert not is_operator or shown == set(wanted)


async def test_a_hidden_demand_changes_no_byte(world: World, ask: Ask) -> None:
    seen = [demand(world, owner="enterprise-2", title=f"Sấy chè {CANARY}") for _ in range(4)]
    await world.tell(supply(world), *seen)
    callers = [caller for caller in CALLERS if caller[0] != "operator"]

    async def asked() -> dict[Any, str]:
        texts = {}
        for role, tenant, province in callers:
            claims = {"province": province} if province else {}
            texts[role, tenant, province] = (await ask(PATH, role, tenant, **claims)).text
        return texts

    before = await asked()
    hidden = [
        demand(world, kind, visibility="PRIVATE", owner="somebody", province="92") for kind in KINDS
    ] + [world.demand(status, owner="somebody") for status in ("ON_HOLD", "DRAFT", "WITHDRAWN")]
    await world.tell(*hidden)
    assert await asked() == before
    for said in before.values():
        assert CANARY not in said
        assert "enterprise-2" not in said
        assert not any(str(each.aggregate_id) in said for each in seen)
    assert (await gaps(ask))["total"]["demands"] == 8


async def test_few_demands_show_their_number_alone(world: World, ask: Ask) -> None:
    few = [demand(world, "MISMATCH", province="33"), demand(world, "MATCHED", province="33")]
    await world.tell(supply(world), *few)
    found = await gaps(ask, "enterprise")
    alone = {"demands": 2, "diagnoses": None, "reasons": None}
    assert found["total"] == alone
    for group in found["groups"]:
        assert group["cells"] == [alone | {"value": None, "others": True}]
    assert plain((await gaps(ask))["total"])["diagnoses"] == {"MATCHED": 1, "MISMATCH": 1}
    await world.tell(demand(world, "MISMATCH", province="19"))
    found = await gaps(ask, "enterprise", group_by="province")
    assert plain(found["total"])["diagnoses"] == {"MATCHED": 1, "MISMATCH": 2}
    ((cell,),) = (group["cells"] for group in found["groups"])
    assert (cell["others"], cell["demands"]) == (True, 3)


async def test_the_year_is_that_of_the_first_publication_in_vietnam(world: World, ask: Ask) -> None:
    new_year = demand(world, updated_at="2025-12-31T17:00:00Z")
    old_year = demand(world, updated_at="2025-12-31T16:59:59Z")
    held = world.demand("ON_HOLD", updated_at="2023-02-01T00:00:00Z")
    draft = world.demand("DRAFT", updated_at="2022-02-01T00:00:00Z")
    await world.tell(supply(world), new_year, old_year, held, draft)
    published = [
        world.later(each, "PUBLISHED", updated_at="2026-06-01T00:00:00Z")
        for each in (new_year, old_year, held, draft)
    ]
    await world.tell(*published)
    (years,) = (await gaps(ask, group_by="year"))["groups"]
    assert {cell["value"]: cell["demands"] for cell in years["cells"]} == {
        "2026": 2,
        "2025": 1,
        "2023": 1,
    }


async def test_what_was_published_before_the_column_has_the_year_of_its_first_ranking(
    world: World, ask: Ask
) -> None:
    ranked = demand(world, fields=["2.11", "4.1"], industries=["1079"])
    unranked = world.demand("ON_HOLD", updated_at="2024-03-01T00:00:00Z")
    await world.tell(supply(world), ranked, unranked, world.demand("DRAFT"))
    backfill = importlib.import_module("svc_matching.migrations.versions.0002_gaps").BACKFILL
    async with world.transactions.database.begin() as connection:
        first_run = datetime(2021, 6, 1, tzinfo=UTC)
        received = datetime(2023, 6, 1, tzinfo=UTC)
        await connection.execute(update(tables.match_run).values(created_at=first_run))
        await connection.execute(
            update(tables.item).values(
                published_at=None, field=None, industry=None, updated_at=received
            )
        )
        await connection.execute(text(backfill))
    rows = await world.rows(tables.item)
    assert {(row.field, row.industry) for row in rows} == {("2.11", "1079"), (None, None)}
    found = {row.id: row.published_at for row in rows}
    assert found.pop(ranked.aggregate_id) == first_run
    assert found.pop(unranked.aggregate_id) == received
    assert set(found.values()) == {None}
    await world.tell(world.later(ranked, title="Sấy chè búp"))
    (years,) = (await gaps(ask, group_by="year"))["groups"]
    assert [cell["value"] for cell in years["cells"]] == ["2021"]


async def test_only_what_is_published_now_counts(world: World, ask: Ask) -> None:
    demands = [demand(world) for _ in range(5)]
    await world.tell(supply(world), *demands)
    assert (await gaps(ask))["total"]["demands"] == 5
    for each, status in zip(demands, ("ON_HOLD", "WITHDRAWN", "FULFILLED"), strict=False):
        await world.tell(world.later(each, status))
    assert (await gaps(ask))["total"]["demands"] == 2


async def test_a_diagnosis_that_changes_moves_from_one_count_to_the_other(
    world: World, ask: Ask
) -> None:
    await world.tell(demand(world))
    assert plain((await gaps(ask))["total"])["diagnoses"] == {"NO_SUPPLY": 1}
    await world.tell(supply(world))
    assert plain((await gaps(ask))["total"])["diagnoses"] == {"MATCHED": 1}


async def test_nothing_at_all_adds_up_to_nothing(world: World, ask: Ask) -> None:
    for role in ("operator", "enterprise"):
        found = await gaps(ask, role)
        assert plain(found["total"]) == {"demands": 0, "diagnoses": {}}
        assert all(group["cells"] == [] for group in found["groups"])


async def test_it_is_one_statement(world: World, ask: Ask) -> None:
    statements: list[str] = []
    engine = world.transactions.database.engine.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "diagnosis" in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        await gaps(ask, "dost", claims={"province": "19"}, province="19", year=2026)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"provinces": "19"}, "extra_forbidden"),
        ({"province": "99"}, "unknown_province"),
        ({"province": "19' OR 1=1"}, "string_pattern_mismatch"),
        ({"field": "2.11%"}, "string_pattern_mismatch"),
        ({"field": "7"}, "string_pattern_mismatch"),
        ({"industry": "10"}, "string_pattern_mismatch"),
        ({"year": 1999}, "greater_than_equal"),
        ({"year": "nay"}, "int_parsing"),
        ({"group_by": "owner"}, "enum"),
        ({"group_by": "PROVINCE"}, "enum"),
    ],
)
async def test_a_filter_that_is_none_is_refused(
    world: World, ask: Ask, asked: dict[str, Any], code: str
) -> None:
    answer = await ask(PATH, params=asked)
    assert answer.status_code == 400, answer.text
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"?{next(iter(asked))}", code)


@pytest.mark.parametrize(
    ("role", "claims", "status"),
    [
        ("anonymous", {}, 401),
        ("reader", {}, 403),
        ("reporter", {}, 403),
        ("enterprise", {"scope": "demands:write"}, 403),
        ("intermediary", {}, 200),
        ("exchange", {}, 200),
    ],
)
async def test_gaps_are_for_those_with_the_scope(
    world: World, ask: Ask, role: str, claims: dict[str, Any], status: int
) -> None:
    assert (await ask(PATH, role, **claims)).status_code == status


async def test_a_reader_with_the_scope_counts_public_demands_only(world: World, ask: Ask) -> None:
    shown = [demand(world) for _ in range(3)]
    await world.tell(supply(world), *shown, demand(world, visibility="PARTNERS"))
    scope = {"scope": "matches:read"}
    assert (await gaps(ask, "reader", claims=scope))["total"]["demands"] == 3
    assert (await gaps(ask, "enterprise"))["total"]["demands"] == 4


ROWS = st.lists(
    st.builds(
        Counted,
        st.just(GapGrouping.PROVINCE),
        st.sampled_from(["19", "06", "33", "92", "01", None]),
        st.sampled_from(list(DiagnosisCode)),
        st.lists(st.sampled_from(list(ReasonCode)), unique=True, max_size=4).map(tuple),
        st.integers(1, 6),
    ),
    max_size=12,
)


@given(ROWS, st.sampled_from([1, 3]))
def test_cells_are_large_enough_and_add_up(rows: list[Counted], fewest: int) -> None:
    found = json.loads(add_up(rows, [GapGrouping.PROVINCE], fewest=fewest).model_dump_json())
    (group,) = found["groups"]
    cells = group["cells"]
    whole = sum(row.demands for row in rows)
    assert plain(found["total"])["demands"] == whole
    assert total_of(cells) == plain(found["total"])
    for cell in cells:
        assert (cell["diagnoses"] is None) == (cell["reasons"] is None) == (whole < fewest)
        assert cell["demands"] >= fewest or len(cells) == 1
        assert len(cell["reasons"] or []) <= 5
    assert sum(cell["others"] for cell in cells) <= 1
    assert not any(cell["others"] for cell in cells[:-1])
    sizes = [cell["demands"] for cell in cells if not cell["others"]]
    assert sizes == sorted(sizes, reverse=True)


async def test_many_ask_at_once_and_get_the_same(world: World, ask: Ask) -> None:
    await world.tell(supply(world), *(demand(world, kind) for kind in KINDS))
    answers = await asyncio.gather(*(gaps(ask) for _ in range(12)))
    assert all(answer == answers[0] for answer in answers)
