"""Every status × target × caller of both life cycles, tried on the service, against the table."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

import svc_demand.usecases.demands
import svc_supply.usecases.supplies
from shared.contracts.identity import SYSTEM
from shared.contracts.lifecycles import TransitionIn
from shared.kernel.clock import utc_now, vietnam_date
from shared.kernel.errors import KetnoiError

Headers = dict[str, str]
ANSWERED = dict.fromkeys(
    ("evidence_seen", "losses_stated", "investment_decided", "absorption_assessed"), False
)
YESTERDAY = str(vietnam_date(utc_now()) - timedelta(days=1))
CASES = [("demand", status) for status in (
    "DRAFT", "SUBMITTED", "UNDER_REVIEW", "RETURNED", "REJECTED", "VERIFIED", "FORWARDED",
    "PUBLISHED", "ON_HOLD", "FULFILLED", "EXPIRED", "WITHDRAWN", "ARCHIVED",
)] + [("supply", status) for status in (
    "DRAFT", "SUBMITTED", "UNDER_VALIDATION", "RETURNED", "REJECTED", "PUBLISHED", "ON_HOLD",
    "FLAGGED", "EXPIRED", "WITHDRAWN", "TRANSFERRED_EXCLUSIVELY", "ARCHIVED",
)]  # fmt: skip


@dataclass(frozen=True)
class Somebody:
    """A caller, and what the contract makes of it for a demand of province 06."""

    role: str
    headers: Headers
    is_a: frozenset[str]
    client_id: str
    may_write: bool = True


Taken = tuple[int, dict[str, Any]]


@pytest.fixture
def tenant(unique: str) -> str:
    return f"owner-{unique}"


@pytest.fixture
def planter(authorization: Callable[..., Headers], tenant: str) -> Headers:
    """An operator in the owner's tenant: its rows may begin in any status."""
    return authorization("operator", tenant)


@pytest.fixture
def everybody(
    kinds: Any, authorization: Callable[..., Headers], tenant: str
) -> Callable[[Any], dict[str, Somebody]]:
    """Every role of the contract, as owner and as outsider, and without a token."""
    roles = (
        "operator", "office", "enterprise", "provider", "exchange", "intermediary", "reporter",
        "ops", "reader",
    )  # fmt: skip

    def of(kind: Any) -> dict[str, Somebody]:
        def somebody(role: str, owner: str, is_a: set[str], **claims: Any) -> Somebody:
            client_id = f"{role}-of-{owner}"
            headers = authorization(role, owner, sub=client_id, **claims)
            may_write = role in kind.writers and "scope" not in claims
            return Somebody(role, headers, frozenset(is_a), client_id, may_write)

        found: dict[str, Somebody] = {}
        for role in roles:
            rights = {"operator"} if role == "operator" else set()
            found[role] = somebody(role, f"other-{role}", rights)
            found[f"owner as {role}"] = somebody(role, tenant, rights | {"owner"})
        by_place = {"dost"} if kind.name == "demand" else set()
        for province, rights in (("19", by_place), ("06", by_place), ("33", set()), (None, set())):
            found[f"dost {province}"] = somebody("dost", "a-dost", rights, province=province)
        found["owner as dost"] = somebody("dost", tenant, by_place | {"owner"}, province="19")
        found["owner without the scope"] = somebody(
            "enterprise", tenant, {"owner"}, scope="matches:read"
        )
        found["anonymous"] = Somebody("anonymous", {}, frozenset(), "anonymous", False)
        found["system"] = Somebody("system", {}, frozenset({"system"}), "system")
        return found

    return of


@pytest.fixture
def take() -> Callable[..., Awaitable[Taken]]:
    """Ask for a move through the API, or as the system through the use case."""

    async def move(kind: Any, who: Somebody, row: tuple[str, int], to: str, **wish: Any) -> Taken:
        row_id, version = row
        if who.role != "system":
            answer = await kind.client.post(
                f"{kind.path}/{row_id}/transitions",
                json={"to": to, **wish},
                headers=who.headers | {"If-Match": f'"{version}"'},
            )
            return answer.status_code, answer.json()
        cases: dict[str, Any] = {
            "demand": svc_demand.usecases.demands.move_demand,
            "supply": svc_supply.usecases.supplies.move_supply,
        }
        asked = TransitionIn(to=to, **wish)
        try:
            moved = await cases[kind.name](
                kind.transactions, SYSTEM, UUID(row_id), version, asked, None
            )
        except KetnoiError as error:
            return error.status, {"code": error.code, **error.extra}
        if isinstance(moved, bytes):
            return 200, json.loads(moved)
        return 200, moved.model_dump(mode="json")

    return move


def wish_for(kind: Any) -> dict[str, Any]:
    return {"reason": "vì sao"} | ({"checklist": ANSWERED} if kind.name == "demand" else {})


def row_for(kind: Any, to: str) -> dict[str, Any]:
    """What the row must say so that nothing but the caller stands in the way."""
    return {kind.date: YESTERDAY if to == "EXPIRED" else None}


@pytest.mark.parametrize(("name", "status"), CASES)
async def test_moves_are_allowed_to_whom_the_contract_says(
    name: str,
    status: str,
    kinds: Any,
    everybody: Callable[[Any], dict[str, Somebody]],
    take: Any,
    planter: Headers,
) -> None:
    kind = kinds[name]
    callers = everybody(kind)
    assert {case[1] for case in CASES if case[0] == name} == set(kind.statuses)
    still, _ = planted = await kind.plant(status, planter)
    before = await _rows(kind, [still])
    moved: dict[str, tuple[Somebody, str, int]] = {}
    for label, who in callers.items():
        mine = kind.allowed(status, who.is_a) if who.may_write else set()
        if who.role != "system":
            await _check_history(kind, who, still, status, mine, label)
        for to in kind.statuses:
            if to not in mine:
                found = await take(kind, who, planted, to, **wish_for(kind))
                _check_refusal(kind, who, status, mine, found, f"{label}: {status} > {to}")
                continue
            row, version = await kind.plant(status, planter, **row_for(kind, to))
            code, body = await take(kind, who, (row, version), to, **wish_for(kind))
            assert (code, body.get("status")) == (200, to), f"{label}: {status} > {to}: {body}"
            assert body["version"] == version + 1
            moved[row] = who, to, version + 1
    assert await _rows(kind, [still]) == before, "a refused move has left a trace"
    await _check_traces(kind, status, moved, before[still]["row"]["announced"])


async def _check_history(
    kind: Any, who: Somebody, row: str, status: str, mine: set[str], label: str
) -> None:
    answer = await kind.client.get(f"{kind.path}/{row}/transitions", headers=who.headers)
    if not who.is_a:
        assert answer.status_code == (404 if who.headers else 401), label
        return
    assert answer.status_code == 200, label
    assert (answer.json()["status"], set(answer.json()["allowed"])) == (status, mine), label


def _check_refusal(
    kind: Any, who: Somebody, status: str, mine: set[str], found: Taken, what: str
) -> None:
    code, body = found
    if who.is_a and who.may_write:
        assert (code, body["code"]) == (409, "transition_not_allowed"), what
        assert (body["current_status"], set(body["allowed"])) == (status, mine), what
    elif who.role == "anonymous":
        assert code == 401, what
    elif not who.may_write:
        assert (code, body["code"], body["scope"]) == (403, "scope_missing", kind.scope), what
    elif status == "PUBLISHED":
        assert (code, body["code"]) == (403, "not_yours"), what
    else:
        assert (code, body["code"]) == (404, "not_found"), what


async def _rows(kind: Any, ids: list[str]) -> dict[str, dict[str, Any]]:
    """What the tables hold of some rows: the row and its history."""
    found = await kind.sql(
        f"SELECT t.id::text AS id, to_jsonb(t) AS stored, (SELECT jsonb_agg(to_jsonb(h)"
        f" ORDER BY version, step) FROM transition h WHERE h.resource_id = t.id) AS history"
        f" FROM {kind.name} t WHERE id = ANY(CAST(:ids AS uuid[]))",
        ids=ids,
    )
    return {row.id: {"row": row.stored, "history": row.history} for row in found}


async def _check_traces(
    kind: Any, status: str, moved: dict[str, tuple[Somebody, str, int]], announced: bool
) -> None:
    """One step of history and one event for each move; none for what nobody has heard of."""
    rows, events = await _rows(kind, list(moved)), await kind.events(moved)
    for row, (who, to, version) in moved.items():
        (step,) = [each for each in rows[row]["history"] if each["version"] == version]
        made = (step["from_status"], step["to_status"], step["actor"], step["role"])
        assert made == (status, to, who.client_id, who.role)
        assert (step["step"], step["reason"]) == (0, "vì sao")
        assert rows[row]["row"]["status"] == to
        told = [fact for fact, at in events[row] if at == version]
        unheard = to in ("WITHDRAWN", "ARCHIVED") and not announced
        assert told == ([] if unheard else [kind.fact(to)]), (status, to)


NEEDS = [
    ("complete", {"description": None, "kind": None}, {}, 422, "incomplete"),
    ("reason", {}, {"reason": None}, 422, "reason_required"),
    ("reason", {}, {"reason": "   "}, 422, "reason_required"),
    ("checklist", {}, {"checklist": None}, 422, "checklist_open"),
    ("checklist", {}, {"checklist": {"evidence_seen": True}}, 422, "checklist_open"),
    ("new_date", {"DATE": YESTERDAY}, {}, 409, "new_date_required"),
    ("date_passed", {"DATE": None}, {}, 409, "date_not_passed"),
    ("date_passed", {"DATE": str(vietnam_date(utc_now()))}, {}, 409, "date_not_passed"),
    ("not_prohibited", {"legal_list": "PROHIBITED"}, {}, 422, "prohibited"),
]


@pytest.mark.parametrize("case", NEEDS)
async def test_a_move_without_what_it_needs_is_refused_and_says_what(
    kind: Any,
    case: tuple[str, dict[str, Any], dict[str, Any], int, str],
    everybody: Callable[[Any], dict[str, Somebody]],
    take: Any,
    planter: Headers,
) -> None:
    """Each need of the table, for each caller that the table names; nothing is left behind."""
    need, row, less, code, reason = case
    callers = everybody(kind)
    speakers = {"owner": "owner as enterprise", "dost": "dost 06", "operator": "operator"}
    for (source, to), rule in kind.table.items():
        if need not in rule.needs:
            continue
        said = {kind.date if name == "DATE" else name: value for name, value in row.items()}
        planted = await kind.plant(source, planter, **(row_for(kind, to) | said))
        before = await _rows(kind, [planted[0]]), await kind.events([planted[0]])
        for actor in rule.who:
            who = callers[speakers.get(actor, actor)]
            status, body = await take(kind, who, planted, to, **(wish_for(kind) | less))
            assert (status, body["code"].endswith(reason)) == (code, True), (source, to, body)
        after = await _rows(kind, [planted[0]]), await kind.events([planted[0]])
        assert after == before


async def test_what_is_missing_is_named(
    kinds: Any, everybody: Any, take: Any, planter: Headers
) -> None:
    demand = kinds["demand"]
    who = everybody(demand)["dost 19"]
    row = await demand.plant("UNDER_REVIEW", planter)
    _, body = await take(demand, who, row, "VERIFIED", checklist={"losses_stated": True})
    assert [error["pointer"] for error in body["errors"]] == [
        "/checklist/evidence_seen",
        "/checklist/investment_decided",
        "/checklist/absorption_assessed",
    ]
    for kind in kinds.values():
        who = everybody(kind)["owner as enterprise"]
        row = await kind.plant("RETURNED", planter, description=None, language=None)
        _, body = await take(kind, who, row, "SUBMITTED")
        assert [error["pointer"] for error in body["errors"]] == ["/description", "/language"]


async def test_an_unknown_status_is_no_move(
    kind: Any, everybody: Any, take: Any, planter: Headers
) -> None:
    row = await kind.plant("DRAFT", planter)
    for to in ("GONE", "draft", "", "DRAFT "):
        status, body = await take(kind, everybody(kind)["owner as enterprise"], row, to)
        assert status in (409, 422), (to, body)


async def test_a_stale_or_missing_version_moves_nothing(
    kind: Any, everybody: Any, planter: Headers
) -> None:
    row, _ = await kind.plant("DRAFT", planter)
    headers = everybody(kind)["owner as enterprise"].headers
    for extra, code in (({}, 428), ({"If-Match": '"2"'}, 412), ({"If-Match": '"0"'}, 412)):
        answer: httpx.Response = await kind.client.post(
            f"{kind.path}/{row}/transitions", json={"to": "SUBMITTED"}, headers=headers | extra
        )
        assert answer.status_code == code
    assert (await kind.events([row]))[row] == []
