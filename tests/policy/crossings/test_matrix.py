"""Role × operation × state × owner: nobody is shown a byte of what is not theirs to see."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from hypothesis import settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

LONG = settings.get_current_profile_name() == "long"
ABSENT = "019a0000-0000-7000-8000-000000000000"
THAI_NGUYEN = {"19", "06"}
PASSING = {"date", "x-request-id", "ratelimit", "ratelimit-policy", "content-length", "server"}


async def gathered(works: Iterable[Awaitable[Any]]) -> list[Any]:
    gate = asyncio.Semaphore(12)

    async def one(work: Awaitable[Any]) -> Any:
        async with gate:
            return await work

    return await asyncio.gather(*(one(work) for work in works))


def unnamed(answer: Any, *names: str) -> tuple[int, str, frozenset[str]]:
    """An answer without what differs anyway: request id, time, and the names asked for."""
    body = answer.raw.decode()
    if answer.raw and "problem+json" in answer.headers.get("Content-Type", ""):
        body = json.dumps(answer.json() | {"request_id": None})
    for name in names:
        body = body.replace(name, "NAME")
    return answer.status, body, frozenset(name.lower() for name in answer.headers) - PASSING


Ask = Callable[[str, str], Awaitable[Any]]


def operations(world: Any, who: Any) -> dict[str, Callable[[str, str], Awaitable[Any]]]:
    """What may be asked of one row, given its path and its path by reference."""
    stale = {"If-Match": '"99999"'}
    first = {"If-Match": '"1"'}
    misses = world.near_misses()

    def get(tail: str, allowed: Iterable[str] = ()) -> Ask:
        return lambda path, _: world.ask(who, "GET", path + tail, allowed=allowed)

    def send(method: str, tail: str, body: dict[str, Any], headers: dict[str, str]) -> Ask:
        return lambda path, _: world.ask(who, method, path + tail, json=body, headers=headers)

    withdraw = {"to": "WITHDRAWN", "reason": "vì sao"}
    return {
        "get": get(""),
        "history": get("/transitions"),
        "by_ref": lambda _, by_ref: world.ask(who, "GET", by_ref),
        "matches": get("/matches"),
        "diagnosis": get("/diagnosis", misses),
        "overview": get("/overview", misses),
        "patch": send("PATCH", "", {"title": "khác"}, first),
        "stale patch": send("PATCH", "", {"title": "khác"}, stale),
        "move": send("POST", "/transitions", withdraw, first),
        "stale move": send("POST", "/transitions", withdraw, stale),
    }


def expected(world: Any, who: Any, row: Any, operation: str) -> int:
    """The status that the contract asks for; 404 stands for «like what is not there»."""
    insider, seen = world.is_insider(who, row), world.sees(who, row)
    if operation in ("get", "overview"):
        return 200 if seen else 404
    if who.role == "anonymous":
        return 401
    if operation == "history":
        return 200 if insider else 404
    if operation == "by_ref":
        return 200 if who.tenant == row.owner else 404
    if operation in ("matches", "diagnosis"):
        if not who.has("matches:read"):
            return 403
        return 200 if insider and (row.plural == "demands" or _owns(who, row)) else 404
    if operation.startswith("stale") and insider and who.has(f"{row.plural}:write"):
        return 412
    return 403 if seen or not who.has(f"{row.plural}:write") else 404


def _owns(who: Any, row: Any) -> bool:
    return who.role == "operator" or who.tenant == row.owner


async def test_each_row_is_shown_to_whom_it_may_be_and_to_nobody_else(world: Any) -> None:
    """Every caller × row × operation; forbidden is byte for byte what absent is.

    `make test` tries every second cell, `--hypothesis-profile=long` all of them.
    """
    wrong: list[str] = []
    tried = 0

    async def look(who: Any, row: Any, operation: str, asked: Ask, absent: Any) -> None:
        nonlocal tried
        tried += 1
        answer = await asked(row.path, row.by_ref)
        wanted = expected(world, who, row, operation)
        what = f"{who.name}: {operation} of {row.plural} {row.status} {row.visibility} {row.owner}"
        if answer.status != wanted:
            wrong.append(f"{what}: {answer.status} instead of {wanted}: {answer.raw[:200]!r}")
        elif wanted == 404 and unnamed(answer, row.id, row.ref) != absent:
            wrong.append(f"{what}: differs from absent: {answer.raw[:300]!r} {absent}")

    works = []
    for place, who in enumerate(world.people.values()):
        asks = operations(world, who)
        for plural in ("demands", "supplies"):
            rows = [row for row in world.rows.values() if row.plural == plural]
            for number, (operation, asked) in enumerate(asks.items()):
                if plural == "supplies" and operation in ("diagnosis", "overview"):
                    continue
                chosen = _chosen(world, who, rows, operation)
                if not LONG:  # every second cell, like a chessboard
                    chosen = chosen[(place + number) % 2 :: 2]
                ref = f"/v1/{plural}/by-ref/crossings/{ABSENT}"
                nothing = unnamed(await asked(f"/v1/{plural}/{ABSENT}", ref), ABSENT)
                works += [look(who, row, operation, asked, nothing) for row in chosen]
    await gathered(works)
    assert wrong == []
    assert world.crossings == []
    assert tried > (10_000 if LONG else 5_000)


def _chosen(world: Any, who: Any, rows: list[Any], operation: str) -> list[Any]:
    """Insiders do not really change rows here; without a token there is a limit a minute."""
    if operation in ("patch", "move", "stale patch", "stale move"):
        changes, stale = f"{rows[0].plural}:write", operation.startswith("stale")
        return [row for row in rows if (world.is_insider(who, row) and who.has(changes)) is stale]
    if who.role == "anonymous" and operation not in ("get", "overview"):
        return rows[::6]
    return rows


def everything(_row: Any) -> bool:
    return True


def nothing(_row: Any) -> bool:
    return False


FILTERS: dict[str, list[tuple[str, Callable[[Any], bool]]]] = {
    "demands": [
        ("", everything),
        ("province=19", lambda row: row.province in THAI_NGUYEN),
        ("province=06", lambda row: row.province in THAI_NGUYEN),
        ("province=33", lambda row: row.province == "33"),
        ("enterprise_size=SMALL", everything),
        ("open_for_interest=false", nothing),
        ("kind=IMPROVEMENT", everything),
    ],
    "supplies": [
        ("", everything),
        ("country=KR", everything),
        ("legal_list=NONE", everything),
        ("kind=EQUIPMENT", everything),
    ],
}


def _filters(plural: str, world: Any) -> list[tuple[str, Callable[[Any], bool]]]:
    rows = [row for row in world.rows.values() if row.plural == plural]
    found = list(FILTERS[plural])
    found += [("fields=2.11", everything), ("industries=1079", everything)]
    found += [("language=vi", everything), ("source_system=crossings", everything)]
    for name in ("status", "owner", "visibility"):
        for value in sorted({getattr(row, name) for row in rows}):
            found.append((f"{name}={value}", lambda row, n=name, v=value: getattr(row, n) == v))
    return found


def _known(world: Any, who: Any, items: list[dict[str, Any]]) -> list[str]:
    """The ids of the world's rows; what other tests have made is its maker's own."""
    for item in items:
        if item["id"] not in world.rows and who.role not in ("operator", "dost"):
            assert item["owner"] == who.tenant
    return [item["id"] for item in items if item["id"] in world.rows]


async def test_lists_hold_what_may_be_seen_and_nothing_else(world: Any) -> None:
    """Every filter for every caller; in one page, and page by page with the cursors decoded."""
    wrong = []

    async def look(who: Any, plural: str, query: str, keep: Callable[[Any], bool]) -> None:
        wanted = {
            row.id
            for row in world.rows.values()
            if row.plural == plural and keep(row) and world.sees(who, row)
        }
        page = (await world.ask(who, "GET", f"/v1/{plural}?limit=200&{query}")).json()
        found = _known(world, who, page["items"])
        if (set(found), len(found), page["next_cursor"]) != (wanted, len(wanted), None):
            wrong.append((who.name, plural, query, len(found), len(wanted)))

    async def walk(who: Any, plural: str) -> None:
        wanted = {
            row.id for row in world.rows.values() if row.plural == plural and world.sees(who, row)
        }
        found: list[str] = []
        cursor = ""
        while True:
            page = (await world.ask(who, "GET", f"/v1/{plural}?limit=7{cursor}")).json()
            found += _known(world, who, page["items"])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        if (set(found), len(found)) != (wanted, len(wanted)):
            wrong.append((who.name, plural, "pages", len(found), len(wanted)))

    works = []
    for who in world.people.values():
        for plural in FILTERS:
            works.append(walk(who, plural))
            works += [look(who, plural, *each) for each in _filters(plural, world)]
    await gathered(works)
    assert wrong == []
    assert world.crossings == []


async def test_a_match_is_read_by_its_two_sides_only(world: Any) -> None:
    """Every match that the operator finds, asked for by everybody; and each supply's list."""
    operator = world.people["operator"]
    pairs: dict[str, tuple[Any, Any]] = {}
    for row in list(world.rows.values()):
        if row.plural == "demands" and row.status == "PUBLISHED":
            page = (await world.ask(operator, "GET", f"{row.path}/matches?limit=100")).json()
            assert page["pending"] is False
            for item in page["items"]:
                pairs[item["id"]] = row, world.rows[item["supply_id"]]
    assert len(pairs) > 30
    owners = {(demand.owner, supply.owner) for demand, supply in pairs.values()}
    assert len(owners) > 4
    hidden = [s for d, s in pairs.values() if s.visibility == "PRIVATE" and s.owner != d.owner]
    assert hidden == [], "a PRIVATE supply stands in another tenant's list"
    wrong = []

    async def look(who: Any, match_id: str, demand: Any, supply: Any, absent: Any) -> None:
        answer = await world.ask(who, "GET", f"/v1/matches/{match_id}")
        by_supply = _owns(who, supply) and world.sees(who, demand)
        wanted = 200 if world.is_insider(who, demand) or by_supply else 404
        if not who.has("matches:read"):
            wanted = 401 if who.role == "anonymous" else 403
        same = wanted != 404 or unnamed(answer, match_id) == absent
        if answer.status != wanted or not same:
            wrong.append((who.name, answer.status, wanted, demand, supply))

    works = []
    for who in world.people.values():
        absent = unnamed(await world.ask(who, "GET", f"/v1/matches/{ABSENT}"), ABSENT)
        chosen = list(pairs.items())[:: 5 if who.role == "anonymous" else 1]
        works += [look(who, each, *pair, absent) for each, pair in chosen]
    await gathered(works)
    assert wrong == []
    assert world.crossings == []


async def test_counts_are_made_of_what_may_be_counted(world: Any) -> None:
    """The dashboard's published counts, by a model of who may count what; no word, no id."""
    published = {"PUBLISHED", "ON_HOLD", "FULFILLED", "EXPIRED"}
    offered = published | {"FLAGGED", "TRANSFERRED_EXCLUSIVELY"}
    wrong = []
    for who in world.people.values():
        shown = {"PUBLIC"}
        if who.has("reporting:read") and who.is_partner:
            shown |= {"PARTNERS"}
        everywhere = who.role in ("operator", "reporter", "ops")
        rows = list(world.rows.values())
        demands = [
            row
            for row in rows
            if row.plural == "demands"
            and row.status in published
            and (
                everywhere
                or row.visibility in shown
                or (who.role == "dost" and world.is_insider(who, row))
            )
        ]
        supplies = [
            row
            for row in rows
            if row.plural == "supplies"
            and row.status in offered
            and (everywhere or row.visibility in shown)
        ]
        board = (await world.ask(who, "GET", "/v1/reporting/dashboard")).json()
        funnel = board["funnel"]
        found = (funnel["demands_published"], funnel["supplies_published"])
        if found != (len(demands), len(supplies)):
            wrong.append((who.name, found, len(demands), len(supplies)))
        assert (funnel["demands_received"] is not None) == everywhere
        assert (board["pipeline"] is not None) == (
            everywhere or (who.role == "dost" and who.province is not None)
        )
        for query in ("province=19", "province=33", "country=KR", "field=2.11", "year=2001"):
            await world.ask(who, "GET", f"/v1/reporting/dashboard?{query}")
    assert wrong == []
    assert world.crossings == []


async def test_previews_and_gaps_tell_of_nothing_hidden(world: Any) -> None:
    """Each hidden supply's own word is looked for; gaps count what the caller sees."""
    misses = world.near_misses()
    wrong = []
    rows = list(world.rows.values())
    tried = [
        row
        for row in rows
        if row.plural == "supplies" and (row.status != "PUBLISHED" or row.visibility == "PRIVATE")
    ]
    for who in world.people.values():
        wanted = 200 if who.has("matches:read") else 401 if who.role == "anonymous" else 403
        for row in tried if wanted == 200 else tried[:1]:
            said = {"text": f"Lò sấy chè {row.canary}", "limit": 20}
            # An id that was guessed by its word is the near miss that a diagnosis may name.
            answer = await world.ask(who, "POST", "/v1/match-preview", json=said, allowed=misses)
            if answer.status != wanted:
                wrong.append((who.name, "preview", answer.status, wanted))
        answer = await world.ask(who, "GET", "/v1/gaps")
        if answer.status != wanted:
            wrong.append((who.name, "gaps", answer.status, wanted))
        if answer.status != 200:
            continue
        seen = [
            row
            for row in rows
            if row.plural == "demands" and row.status == "PUBLISHED" and world.sees(who, row)
        ]
        found = answer.json()
        sums = [sum(cell["demands"] for cell in group["cells"]) for group in found["groups"]]
        if {found["total"]["demands"], *sums} != {len(seen)}:
            wrong.append((who.name, "gaps", found["total"], sums, len(seen)))
    assert wrong == []
    assert world.crossings == []
