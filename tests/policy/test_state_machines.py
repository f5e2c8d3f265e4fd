"""Demands and supplies under random rules, beside a model that is a dictionary.

`make test` takes a bounded look; `--hypothesis-profile=long` goes on for as long as it takes.
"""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.imports.runner import ImportRunner

Headers = dict[str, str]
Content = dict[str, Any]

STUCK_SECONDS = 20
BEGIN = datetime(2095, 1, 10, 5, tzinfo=UTC)
DAYS = [None, *(str(date(2095, 1, 10) + timedelta(days=days)) for days in (-3, -1, 0, 2, 5, 9))]
THAI_NGUYEN = {"19", "06"}
LIVE = {"PUBLISHED", "ON_HOLD"}
CLOSED = {"REJECTED", "WITHDRAWN", "ARCHIVED"}
ENDED = CLOSED | {"FULFILLED", "TRANSFERRED_EXCLUSIVELY"}
MAYBE_INCOMPLETE = {"DRAFT", "RETURNED", "WITHDRAWN", "ARCHIVED"}
UNHEARD = {"DRAFT", "WITHDRAWN", "ARCHIVED"}
ANSWERED = dict.fromkeys(
    ("evidence_seen", "losses_stated", "investment_decided", "absorption_assessed"), True
)


@dataclass(frozen=True)
class Somebody:
    name: str
    role: str
    tenant: str
    province: str | None
    headers: Headers


@dataclass
class Row:
    """What the model knows of one row; `steps` are (from, to, version)."""

    id: str
    owner: str
    content: Content
    key: str | None = None
    status: str = "DRAFT"
    version: int = 1
    announced: bool = False
    ends: list[tuple[str, int]] = field(default_factory=list)
    events: list[tuple[str, int]] = field(default_factory=list)


class Refused(Exception):  # noqa: N818 - not an error: what the contract wants
    def __init__(self, status: int) -> None:
        self.status = status


class World:
    """A service in an event loop of its own, which a synchronous machine can drive."""

    def __init__(self, loop: asyncio.AbstractEventLoop, kind: Any, authorization: Any) -> None:
        self.loop = loop
        self.kind = kind
        self.authorization = authorization
        self.now = BEGIN
        kind.transactions.clock = lambda: self.now

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, STUCK_SECONDS))

    def ask(self, method: str, tail: str, who: Somebody, **options: Any) -> httpx.Response:
        headers = who.headers | options.pop("headers", {})
        asked = self.kind.client.request(
            method, f"{self.kind.path}{tail}", headers=headers, **options
        )
        answer: httpx.Response = self.run(asked)
        return answer


def contents(kind: Any) -> st.SearchStrategy[Content]:
    """What a row says: complete three times of four."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "title": st.sampled_from(["một", "hai", "ba"]),
        "description": st.sampled_from(["d", "đ", "e", None]),
        "language": st.just("vi"),
        "kind": st.just("TRANSFER" if kind == "demand" else "EQUIPMENT"),
        "visibility": st.sampled_from(["PUBLIC", "PARTNERS", "PRIVATE"]),
    }
    if kind == "demand":
        fields |= {
            "needed_by": st.sampled_from(DAYS),
            "province": st.sampled_from(["19", "06", "19", "33", None]),
        }
    else:
        fields |= {
            "available_until": st.sampled_from(DAYS),
            "legal_list": st.sampled_from(["NONE", "ENCOURAGED", "NONE", "PROHIBITED"]),
        }
    return st.fixed_dictionaries(fields)


class Machine(RuleBasedStateMachine):
    """The rules of the contract, said a second time, without the product's help."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.kind = world.kind
        self.run_id = uuid.uuid4().hex[:12]
        self.rows: list[Row] = []
        world.now = BEGIN
        people = [("a", "enterprise", None), ("b", "enterprise", None), ("op", "operator", None)]
        if self.kind.name == "demand":
            people += [("d19", "dost", "19"), ("d06", "dost", "06"), ("d33", "dost", "33")]
        else:
            people += [("p", "provider", None), ("x", "exchange", None)]
        self.people = {
            name: Somebody(name, role, tenant, province, world.authorization(
                role, tenant, sub=tenant, **({"province": province} if province else {})
            ))
            for name, role, province in people
            for tenant in [f"{name}-{self.run_id}"]
        }  # fmt: skip

    # The model

    @property
    def today(self) -> str:
        return str((self.world.now + timedelta(hours=7)).date())

    def passed(self, content: Content) -> bool:
        day = content[self.kind.date]
        return day is not None and day < self.today

    def is_a(self, who: Somebody, row: Row) -> set[str]:
        found = {"operator"} if who.role == "operator" else set()
        if who.tenant == row.owner:
            found.add("owner")
        if who.role == "dost" and row.content["province"] is not None:
            places = [{who.province}, {row.content["province"]}]
            if any(place <= THAI_NGUYEN for place in places):
                places = [place & THAI_NGUYEN and THAI_NGUYEN for place in places]
            if places[0] == places[1] and places[0]:
                found.add("dost")
        return found

    def require_insider(self, who: Somebody, row: Row) -> set[str]:
        found = self.is_a(who, row)
        if not found:
            seen = row.status == "PUBLISHED" and row.content["visibility"] != "PRIVATE"
            raise Refused(403 if seen else 404)
        return found

    def require_province(self, who: Somebody, content: Content) -> None:
        if who.role == "dost":
            mine = THAI_NGUYEN if who.province in THAI_NGUYEN else {who.province}
            if content["province"] not in mine:
                raise Refused(403)

    def require_fit(self, content: Content, status: str) -> None:
        if status not in MAYBE_INCOMPLETE and content["description"] is None:
            raise Refused(422)
        if status == "PUBLISHED" and content.get("legal_list") == "PROHIBITED":
            raise Refused(422)

    def require_needs(
        self, content: Content, needs: tuple[str, ...], reason: bool, answered: bool
    ) -> None:
        fails = {
            "complete": (content["description"] is None, 422),
            "reason": (not reason, 422),
            "checklist": (not answered, 422),
            "not_prohibited": (content.get("legal_list") == "PROHIBITED", 422),
            "date_passed": (not self.passed(content), 409),
            "new_date": (self.passed(content), 409),
        }
        for need in needs:
            failed, status = fails[need]
            if failed:
                raise Refused(status)

    def way(self, source: str, target: str) -> list[tuple[str, str]]:
        """The shortest way by the table; by WITHDRAWN where others are as short."""
        queue: deque[list[tuple[str, str]]] = deque([[]])
        seen = {source}
        while queue:
            steps = queue.popleft()
            here = steps[-1][1] if steps else source
            if here == target:
                return steps
            onward = [to for (origin, to) in self.kind.table if origin == here and to not in seen]
            for to in sorted(onward, key=lambda to: to != "WITHDRAWN"):
                seen.add(to)
                queue.append([*steps, (here, to)])
        raise Refused(409)

    def settle(self, row: Row, content: Content, ends: list[str]) -> None:
        """One more version, at most one event; what is live past its date has expired."""
        status = ends[-1] if ends else row.status
        if status in LIVE and self.passed(content):
            ends = [*ends, "EXPIRED"]
        row.content = dict(content)
        row.version += 1
        row.status = ends[-1] if ends else row.status
        row.ends += [(end, row.version) for end in ends]
        row.announced = row.announced or row.status not in UNHEARD
        if row.announced:
            fact = self.kind.fact(row.status) if ends else "updated"
            row.events.append((fact, row.version))

    def upserted(
        self, who: Somebody, key: str, content: Content, status: str | None
    ) -> tuple[int, Row]:
        """Change the model as the contract says of a by-ref upsert."""
        if status is not None and who.role != "operator":
            raise Refused(403)
        self.require_province(who, content)
        mine = [row for row in self.rows if (row.owner, row.key) == (who.tenant, key)]
        row = mine[0] if mine else Row("", who.tenant, {}, key, version=0)
        if row.status in CLOSED:
            raise Refused(409)
        wanted = status or row.status
        expires = wanted in LIVE and self.passed(content)
        settled = wanted == row.status or (expires and row.status == "EXPIRED")
        if mine and settled and content == row.content:
            return 200, row
        ends = [] if mine else ["DRAFT"]
        if not settled:
            for step in self.way(row.status, wanted):
                self.require_needs(content, self.kind.table[step].needs, True, True)
                ends.append(step[1])
        self.require_fit(content, row.status if settled else wanted)
        self.settle(row, content, ends)
        if not mine:
            self.rows.append(row)
        return (200 if mine else 201), row

    # Talking to the service

    def expect(self, answer: httpx.Response, wanted: Callable[[], tuple[int, Row]]) -> None:
        """Let the model say what should have come, and compare."""
        before = deepcopy(self.rows)
        try:
            status, row = wanted()
        except Refused as refusal:
            self.rows, row, status = before, None, refusal.status
        assert answer.status_code == status, answer.text
        if row is None:
            return
        row.id = row.id or answer.json()["id"]
        self.compare(row, answer.json())

    def compare(self, row: Row, body: dict[str, Any]) -> None:
        found = (body["id"], body["status"], body["version"], body["owner"])
        assert found == (row.id, row.status, row.version, row.owner)
        assert {name: body[name] for name in row.content} == row.content

    def row(self, number: int) -> Row:
        return self.rows[number % len(self.rows)]

    def somebody(self, number: int) -> Somebody:
        return list(self.people.values())[number % len(self.people)]

    numbers = st.integers(0, 11)
    keys = st.sampled_from(["k1", "k2", "k3"])

    def _create(self, number: int, content: Content, twice: bool) -> None:
        who = self.somebody(number)
        headers = {"Idempotency-Key": f"{self.run_id}-{len(self.rows)}"}

        def wanted() -> tuple[int, Row]:
            self.require_province(who, content)
            row = Row("", who.tenant, dict(content), ends=[("DRAFT", 1)])
            self.rows.append(row)
            return 201, row

        answer = self.world.ask("POST", "", who, json=content, headers=headers)
        self.expect(answer, wanted)
        if twice and answer.status_code == 201:
            again = self.world.ask("POST", "", who, json=content, headers=headers)
            assert (again.status_code, again.json()) == (201, answer.json())
            other = content | {"title": "khác"}
            reused = self.world.ask("POST", "", who, json=other, headers=headers)
            assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")

    def _patch(self, at: int, number: int, change: Content, behind: int) -> None:
        row, who = self.row(at), self.somebody(number)
        headers = {"If-Match": f'"{row.version - behind}"'}

        def wanted() -> tuple[int, Row]:
            self.require_insider(who, row)
            if behind:
                raise Refused(412)
            if row.status in ENDED:
                raise Refused(409)
            content = row.content | change
            self.require_province(who, content)
            if content != row.content:
                self.require_fit(content, row.status)
                self.settle(row, content, [])
            return 200, row

        self.expect(
            self.world.ask("PATCH", f"/{row.id}", who, json=change, headers=headers), wanted
        )

    def _put(self, number: int, key: str, content: Content, status: str | None) -> None:
        who = self.somebody(number)
        said = content | ({"status": status} if status else {})
        answer = self.world.ask("PUT", f"/by-ref/m/{key}", who, json=said)
        self.expect(answer, lambda: self.upserted(who, key, content, status))

    def _move(
        self, at: int, who: Somebody, to: str, reason: bool, answered: bool, behind: int
    ) -> None:
        row = self.row(at)
        wish: dict[str, Any] = {"to": to} | ({"reason": "vì sao"} if reason else {})
        if answered and self.kind.name == "demand":
            wish["checklist"] = ANSWERED
        headers = {"If-Match": f'"{row.version - behind}"', "Idempotency-Key": uuid.uuid4().hex}

        def wanted() -> tuple[int, Row]:
            is_a = self.require_insider(who, row)
            if behind:
                raise Refused(412)
            allowed = self.kind.table.get((row.status, to))
            if allowed is None or not allowed.who & is_a:
                raise Refused(409)
            self.require_needs(row.content, allowed.needs, reason, answered)
            self.settle(row, row.content, [to])
            return 200, row

        path = f"/{row.id}/transitions"
        answer = self.world.ask("POST", path, who, json=wish, headers=headers)
        self.expect(answer, wanted)
        if answer.status_code == 200:
            again = self.world.ask("POST", path, who, json=wish, headers=headers)
            assert (again.status_code, again.json()) == (200, answer.json())

    @rule(at=numbers, number=numbers, to=numbers, reason=st.booleans(), answered=st.booleans())
    @precondition(lambda self: self.rows)
    def move_anywhere(self, at: int, number: int, to: int, reason: bool, answered: bool) -> None:
        targets = self.kind.statuses
        self._move(at, self.somebody(number), targets[to % len(targets)], reason, answered, 0)

    @rule(at=numbers, to=numbers, behind=st.sampled_from([0, 0, 0, 1]))
    @precondition(lambda self: self.rows)
    def move_on(self, at: int, to: int, behind: int) -> None:
        targets = sorted(self.kind.allowed(self.row(at).status, {"operator", "owner"}))
        if targets:
            target = targets[to % len(targets)]
            self._move(at, self.people["op"], target, True, True, behind)

    @rule(days=st.integers(1, 4))
    def pass_time(self, days: int) -> None:
        """Whatever is live past its date expires, each row once, by whoever looks first."""
        self.world.now += timedelta(days=days)
        while self.world.run(self.kind.expire(self.kind.transactions)):
            pass
        for row in self.rows:
            if row.status in LIVE and self.passed(row.content):
                self.settle(row, row.content, [])

    def _import(self, number: int, rows: list[tuple[str, Content, str | None]]) -> None:
        who = self.somebody(number)
        lines = [
            content | self.kind.keyed("m", key) | ({"status": status} if status else {})
            for key, content, status in rows
        ]
        file = "\n".join(json.dumps(line) for line in [*lines, {"title": "no key"}])
        asked = self.kind.client.post(
            "/v1/imports",
            data={"kind": self.kind.plural.upper()},
            files={"file": ("rows.jsonl", file.encode())},
            headers=who.headers,
        )
        answer = self.world.run(asked)
        assert answer.status_code == 202, answer.text
        self.world.run(_work_off(self.kind.app.state.imports))
        counts = {"created": 0, "updated": 0, "unchanged": 0, "rejected": 1}
        for key, content, status in rows:
            before, versions = deepcopy(self.rows), {id(row): row.version for row in self.rows}
            try:
                code, row = self.upserted(who, key, content, status)
            except Refused:
                self.rows = before
                counts["rejected"] += 1
                continue
            same = versions.get(id(row)) == row.version
            counts["created" if code == 201 else "unchanged" if same else "updated"] += 1
        for row in self.rows:
            if not row.id:
                known = self.world.ask("GET", f"/by-ref/m/{row.key}", who)
                row.id = known.json()["id"]
        path = f"/v1/imports/{answer.json()['id']}"
        job = self.world.run(self.kind.client.get(path, headers=who.headers)).json()
        assert job["state"] == "DONE"
        assert {name: job[name] for name in counts} == counts

    def teardown(self) -> None:
        """Every row is what the model says; its history has no gap, its events no double."""
        if not self.rows:
            return
        ids = [row.id for row in self.rows]
        events = self.world.run(self.kind.events(ids))
        for row in self.rows:
            body = self.world.ask("GET", f"/{row.id}", self.people["op"]).json()
            self.compare(row, body)
            told = self.world.ask("GET", f"/{row.id}/transitions", self.people["op"]).json()
            assert [(step["to"], step["version"]) for step in told["items"]] == row.ends
            origins = [step["from"] for step in told["items"]]
            assert origins == [None, *(end for end, _ in row.ends[:-1])]
            assert events[row.id] == row.events


def machine_of(name: str) -> type[Machine]:
    """The rules, with what a demand or a supply may say."""
    contents_of = contents(name)
    some = contents_of.map(lambda content: dict(list(content.items())[::2]))
    statuses = st.sampled_from([None, None, "DRAFT", "PUBLISHED", "ON_HOLD", "EXPIRED",
        "ARCHIVED", "RETURNED", "FULFILLED" if name == "demand" else "FLAGGED"])  # fmt: skip
    imported = st.lists(st.tuples(Machine.keys, contents_of, statuses), min_size=1, max_size=4)

    class Filled(Machine):
        @rule(number=Machine.numbers, content=contents_of, twice=st.booleans())
        def create(self, number: int, content: Content, twice: bool) -> None:
            self._create(number, content, twice)

        @rule(
            at=Machine.numbers,
            number=Machine.numbers,
            change=st.one_of(some, contents_of),
            behind=st.sampled_from([0, 0, 0, 1]),
        )
        @precondition(lambda self: self.rows)
        def patch(self, at: int, number: int, change: Content, behind: int) -> None:
            self._patch(at, number, change, behind)

        @rule(number=Machine.numbers, key=Machine.keys, content=contents_of, status=statuses)
        def put(self, number: int, key: str, content: Content, status: str | None) -> None:
            self._put(number, key, content, status)

        @rule(key=Machine.keys, content=contents_of, status=statuses)
        def put_as_operator(self, key: str, content: Content, status: str | None) -> None:
            self._put(2, key, content, status)

        @rule(at=Machine.numbers)
        @precondition(lambda self: any(row.key for row in self.rows))
        def put_again(self, at: int) -> None:
            """What says nothing new makes no version and no event."""
            keyed = [row for row in self.rows if row.key]
            row = keyed[at % len(keyed)]
            who = next(each for each in self.people.values() if each.tenant == row.owner)
            self._put(list(self.people.values()).index(who), row.key or "", row.content, None)

        @rule(number=st.just(2) | Machine.numbers, rows=imported)
        def import_file(self, number: int, rows: list[tuple[str, Content, str | None]]) -> None:
            self._import(number, rows)

    return Filled


async def _work_off(imports: Any) -> None:
    runner = ImportRunner(imports)
    while await runner.step():
        pass


@contextmanager
def _world(open_kinds: Any, authorization: Any, name: str) -> Iterator[World]:
    loop = asyncio.new_event_loop()
    opened = open_kinds()
    kinds = loop.run_until_complete(opened.__aenter__())
    try:
        yield World(loop, kinds[name], authorization)
    finally:
        loop.run_until_complete(opened.__aexit__(None, None, None))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


LONG = settings.get_current_profile_name() == "long"


@pytest.mark.timeout(0 if LONG else 60)
@pytest.mark.parametrize("name", ["demand", "supply"])
def test_the_service_does_what_the_model_says(
    name: str, open_kinds: Any, authorization: Any
) -> None:
    chosen = settings() if LONG else settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        phases=(Phase.reuse, Phase.generate),  # the long profile makes a failure small
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with _world(open_kinds, authorization, name) as world:
        machine = machine_of(name)
        run_state_machine_as_test(lambda: machine(world), settings=chosen)
