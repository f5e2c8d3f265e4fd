"""The whole suite, full of rows whose every text holds a canary, and callers of every role."""

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import aiohttp
import pytest
from joserfc import jwk, jwt

from ketnoi.local_suite import LocalSuite, local_suite
from shared.contracts.identity import ROLE_SCOPES, Role
from shared.http.auth import ALGORITHM, AUDIENCE, ISSUER

ABSENT = "019a0000-0000-7000-8000-000000000000"
THAI_NGUYEN = {"19", "06"}
VISIBILITIES = ("PUBLIC", "PARTNERS", "PRIVATE")
CANARY = re.compile(rb"cnry[ds]\d{4}x", re.IGNORECASE)
IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
CURSOR = re.compile(rb'"next_cursor":"([A-Za-z0-9_-]+)"')
AT_A_TIME = 12

DEMAND_WAYS = {
    "DRAFT": "",
    "SUBMITTED": "SUBMITTED",
    "UNDER_REVIEW": "SUBMITTED UNDER_REVIEW",
    "RETURNED": "SUBMITTED UNDER_REVIEW RETURNED",
    "REJECTED": "SUBMITTED UNDER_REVIEW REJECTED",
    "VERIFIED": "SUBMITTED UNDER_REVIEW VERIFIED",
    "FORWARDED": "SUBMITTED UNDER_REVIEW VERIFIED FORWARDED",
    "PUBLISHED": "SUBMITTED UNDER_REVIEW VERIFIED FORWARDED PUBLISHED",
    "ON_HOLD": "SUBMITTED UNDER_REVIEW VERIFIED FORWARDED PUBLISHED ON_HOLD",
    "FULFILLED": "SUBMITTED UNDER_REVIEW VERIFIED FORWARDED PUBLISHED FULFILLED",
    "EXPIRED": "SUBMITTED UNDER_REVIEW VERIFIED FORWARDED PUBLISHED",
    "WITHDRAWN": "SUBMITTED WITHDRAWN",
    "ARCHIVED": "SUBMITTED UNDER_REVIEW REJECTED ARCHIVED",
}
SUPPLY_WAYS = {
    "DRAFT": "",
    "SUBMITTED": "SUBMITTED",
    "UNDER_VALIDATION": "SUBMITTED UNDER_VALIDATION",
    "RETURNED": "SUBMITTED UNDER_VALIDATION RETURNED",
    "REJECTED": "SUBMITTED UNDER_VALIDATION REJECTED",
    "PUBLISHED": "SUBMITTED UNDER_VALIDATION PUBLISHED",
    "ON_HOLD": "SUBMITTED UNDER_VALIDATION PUBLISHED ON_HOLD",
    "FLAGGED": "SUBMITTED UNDER_VALIDATION PUBLISHED FLAGGED",
    "EXPIRED": "SUBMITTED UNDER_VALIDATION PUBLISHED",
    "WITHDRAWN": "SUBMITTED WITHDRAWN",
    "TRANSFERRED_EXCLUSIVELY": "SUBMITTED UNDER_VALIDATION PUBLISHED TRANSFERRED_EXCLUSIVELY",
    "ARCHIVED": "SUBMITTED UNDER_VALIDATION REJECTED ARCHIVED",
}
ANSWERED = dict.fromkeys(
    ("evidence_seen", "losses_stated", "investment_decided", "absorption_assessed"), True
)


@dataclass(frozen=True)
class Somebody:
    """A caller as the contract knows it."""

    name: str
    role: str
    tenant: str
    province: str | None
    headers: dict[str, str]

    def has(self, scope: str) -> bool:
        return scope in ROLE_SCOPES[Role(self.role)]

    @property
    def is_partner(self) -> bool:
        return self.role not in ("reader", "anonymous")


@dataclass(frozen=True)
class Row:
    """A row, and the word that stands in each of its texts."""

    plural: str
    id: str
    owner: str
    status: str
    visibility: str
    province: str | None
    canary: str
    version: int
    ref: str

    @property
    def path(self) -> str:
        return f"/v1/{self.plural}/{self.id}"

    @property
    def by_ref(self) -> str:
        return f"/v1/{self.plural}/by-ref/crossings/{self.ref}"


def is_insider(who: Somebody, row: Row) -> bool:
    """Operator, the owner's tenant; for a demand the DOST of the province as it is today."""
    if who.role == "operator" or (who.tenant and who.tenant == row.owner):
        return True
    if row.plural != "demands" or who.role != "dost" or row.province is None:
        return False
    return who.province == row.province or {who.province, row.province} <= THAI_NGUYEN


def sees(who: Somebody, row: Row) -> bool:
    """The contract's words on visibility, written down once more."""
    if is_insider(who, row):
        return True
    shown = {"PUBLIC", "PARTNERS"} if who.is_partner else {"PUBLIC"}
    return row.status == "PUBLISHED" and row.visibility in shown


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class World:
    """The suite, its callers and rows; every answer is searched for what must not be in it."""

    suite: LocalSuite
    http: aiohttp.ClientSession
    people: dict[str, Somebody] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    crossings: list[str] = field(default_factory=list)
    answers: int = 0

    @staticmethod
    def is_insider(who: Somebody, row: Row) -> bool:
        return is_insider(who, row)

    @staticmethod
    def sees(who: Somebody, row: Row) -> bool:
        return sees(who, row)

    def near_misses(self) -> set[str]:
        """Supplies that the contract lets a diagnosis name although they are not published now."""
        return {
            row.id
            for row in self.rows.values()
            if row.plural == "supplies"
            and row.status in ("ON_HOLD", "EXPIRED")
            and row.visibility != "PRIVATE"
        }

    async def ask(
        self,
        who: Somebody,
        method: str,
        path: str,
        *,
        allowed: Iterable[str] = (),
        checked: bool = True,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """Send a request; `allowed` are ids that this answer may name beside what `who` sees."""
        sent = {"Accept-Language": "en"} | who.headers | (headers or {})
        url = self.suite.url + path
        async with self.http.request(method, url, headers=sent, **options) as response:
            raw = await response.read()
            answer = Answer(response.status, dict(response.headers), raw)
        assert answer.status not in (429, 500, 502, 503), (method, path, raw)
        self.answers += 1
        if checked:
            said = f"{path} {json.dumps(options, default=str)}".encode()
            self.search(who, f"{method} {path}", answer, said, set(allowed))
        return answer

    def search(
        self, who: Somebody, what: str, answer: Answer, said: bytes, allowed: set[str]
    ) -> None:
        """Note every canary and id of a row that this caller may not see and has not said."""
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        found = _unpacked(answer.raw + b"\n" + head.encode())
        by_canary = {row.canary: row for row in self.rows.values()}
        known = set(CANARY.findall(said.lower()) + IDS.findall(said))
        for word in set(CANARY.findall(found.lower()) + IDS.findall(found)) - known:
            text = word.decode()
            row = by_canary.get(text) or self.rows.get(text)
            if row is not None and text not in allowed and not sees(who, row):
                self.crossings.append(
                    f"{who.name}: {what} → {answer.status} shows {text}"
                    f" ({row.plural} {row.status} {row.visibility} of {row.owner})"
                )

    async def ok(self, who: str, method: str, path: str, **options: Any) -> Any:
        answer = await self.ask(self.people[who], method, path, checked=False, **options)
        assert answer.status < 300, (method, path, answer.status, answer.raw)
        return answer.json()

    async def plant(
        self,
        owner: str,
        plural: str,
        status: str,
        visibility: str,
        province: str | None = None,
        **more: Any,
    ) -> Row:
        """Let a client send a row and the operator take it to `status`."""
        number = next(_numbers)
        canary, ref = f"cnry{plural[0]}{number:04d}x", f"{status.lower()}-{number}"
        texts = demand_of(canary, province) if plural == "demands" else supply_of(canary)
        if status == "EXPIRED":
            texts["needed_by" if plural == "demands" else "available_until"] = "2001-01-31"
        path = f"/v1/{plural}/by-ref/crossings/{ref}"
        said = texts | {"visibility": visibility} | more
        body = await self.ok(owner, "PUT", path, json=said)
        ways = DEMAND_WAYS if plural == "demands" else SUPPLY_WAYS
        for to in ways[status].split():
            wish = {"to": to, "reason": f"vì {canary}"}
            wish |= {"checklist": ANSWERED} if to == "VERIFIED" else {}
            body = await self.ok(
                "operator",
                "POST",
                f"/v1/{plural}/{body['id']}/transitions",
                json=wish,
                headers={"If-Match": f'"{body["version"]}"'},
            )
        assert body["status"] == status
        return self.keep(
            Row(plural, body["id"], body["owner"], status, visibility, province, canary,
                body["version"], ref)
        )  # fmt: skip

    def keep(self, row: Row) -> Row:
        self.rows[row.id] = row
        return row

    async def change(self, who: str, row: Row, **fields: Any) -> Row:
        """Patch a row; what the canary model needs of it is taken over."""
        body = await self.ok(
            who, "PATCH", row.path, json=fields, headers={"If-Match": f'"{row.version}"'}
        )
        return self.keep(replace(row, version=body["version"], visibility=body["visibility"]))

    async def move(self, who: str, row: Row, to: str) -> Row:
        body = await self.ok(
            who,
            "POST",
            f"{row.path}/transitions",
            json={"to": to, "reason": "vì sao"},
            headers={"If-Match": f'"{row.version}"'},
        )
        return self.keep(replace(row, version=body["version"], status=body["status"]))

    async def settled(self) -> None:
        """Wait until matching has ranked, and reporting has counted, what has been published."""
        published = [row for row in self.rows.values() if row.status == "PUBLISHED"]
        demands = [row for row in published if row.plural == "demands"]
        ever = ("PUBLISHED", "ON_HOLD", "FULFILLED", "EXPIRED", "FLAGGED")
        counted = [row for row in self.rows.values() if row.status in ever]

        async def ready() -> bool:
            state = await self.ok("ops", "GET", "/v1/matching/state")
            board = await self.ok("operator", "GET", "/v1/reporting/dashboard")
            seen = board["funnel"]["demands_published"]
            open_ = sum(
                entry["count"]
                for entry in board["supplies"]["by_status"]
                if entry["status"] == "PUBLISHED"
            )
            return (
                (state["open_demands"], state["pending"]) == (len(demands), 0)
                and state["live_supplies"] == len(published) - len(demands) == open_
                and seen == sum(row.plural == "demands" for row in counted)
                and board["diagnoses"]["pending"] == 0
            )

        await until(ready)


_numbers = iter(range(10_000))


def _unpacked(raw: bytes) -> bytes:
    """The answer, and what its cursor says when it is read as base64."""
    cursor = CURSOR.search(raw)
    if cursor is None:
        return raw
    word = cursor.group(1)
    return raw + b"\n" + base64.urlsafe_b64decode(word + b"=" * (-len(word) % 4))


async def until(ready: Callable[[], Awaitable[bool]], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not await ready():
        assert time.monotonic() < deadline, "it did not settle"
        await asyncio.sleep(0.1)


def demand_of(c: str, province: str | None) -> dict[str, Any]:
    """A demand that finds the supplies below, with its canary in every text."""
    return {
        "title": f"Sấy chè bằng bơm nhiệt {c}",
        "summary": f"Lò sấy chè {c}",
        "description": f"Cần lò sấy chè xanh bằng bơm nhiệt, giữ hương chè, độ ẩm thấp. {c}",
        "language": "vi",
        "translations": {"en": {"title": f"Tea {c}", "summary": c, "description": f"Dryer {c}"}},
        "kind": "IMPROVEMENT",
        "current_technology": f"Lò than {c}",
        "expected_outcome": f"Ít than hơn {c}",
        "requirements": [
            {"name": "công suất", "min": 500, "unit": "kg/h"},
            {"name": f"độ thơm {c}", "max": 5, "unit": c},
        ],
        "keywords": ["sấy chè", c],
        "fields": ["2.11"],
        "industries": ["1079"],
        "trl_min": 6,
        "budget": {"max": 2_000_000_000, "currency": "VND"},
        "enterprise_size": "SMALL",
        "province": province,
        "priority_items": [f"mục {c}"],
    }


def supply_of(c: str) -> dict[str, Any]:
    """A supply that fits the demands above, with its canary in every text."""
    return {
        "title": f"Lò sấy chè bơm nhiệt {c}",
        "summary": f"Sấy chè {c}",
        "description": f"Thiết bị sấy chè xanh bằng bơm nhiệt, giữ hương chè, độ ẩm thấp. {c}",
        "language": "vi",
        "translations": {"en": {"title": f"Dryer {c}", "summary": c, "description": f"Tea {c}"}},
        "kind": "EQUIPMENT",
        "specifications": [
            {"name": "công suất", "min": 400, "max": 600, "unit": "kg/h"},
            {"name": f"độ thơm {c}", "min": 7, "unit": c},
        ],
        "benefits": [{"metric": f"than {c}", "change": -40, "unit": c, "baseline": f"lò cũ {c}"}],
        "keywords": ["sấy chè", c],
        "fields": ["2.11"],
        "industries": ["1079"],
        "trl": 9,
        "ipr": [{"type": "PATENT", "number": c, "status": "GRANTED", "country": "KR"}],
        "price": {"min": 1_500_000_000, "currency": "VND"},
        "country": "KR",
        "demonstration": f"Xưởng {c}",
        "references": [{"country": "KR", "client": f"Bên mua {c}", "note": f"Ghi chú {c}"}],
    }


SEEDED = (
    "operator", "dost-19", "dost-33", "office-kr", "enterprise", "enterprise-2", "provider",
    "exchange", "intermediary", "reporter", "ops", "reader",
)  # fmt: skip


async def _people(world: World) -> None:
    for name in SEEDED:
        client_id, secret = world.suite.client(name)
        async with world.http.post(
            f"{world.suite.url}/oauth/token",
            data={
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
            },
        ) as response:
            token = (await response.json())["access_token"]
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        headers = {"Authorization": f"Bearer {token}"}
        world.people[name] = Somebody(
            name, claims["role"], claims["tenant"], claims.get("province"), headers
        )
    # Clients that an operator could register tomorrow, with tokens as the gateway signs them.
    key = jwk.OKPKey.import_key(json.loads((world.suite.home / "keys" / "signing.jwk").read_text()))
    for name, role, tenant, province in (
        ("dost-06", "dost", "dost-06", "06"),
        ("dost-nowhere", "dost", "dost-nowhere", None),
        ("reader-of-enterprise-1", "reader", "enterprise-1", None),
        ("provider-of-enterprise-1", "provider", "enterprise-1", None),
        ("dost-33-of-provider-1", "dost", "provider-1", "33"),
    ):
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": name, "iat": now, "exp": now + 3600,
            "role": role, "tenant": tenant, "scope": " ".join(ROLE_SCOPES[Role(role)]),
        } | ({"province": province} if province else {})  # fmt: skip
        token = jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])
        headers = {"Authorization": f"Bearer {token}"}
        world.people[name] = Somebody(name, role, tenant, province, headers)
    world.people["anonymous"] = Somebody("anonymous", "anonymous", "", None, {})


async def _rows(world: World) -> None:
    wanted: list[tuple[Any, ...]] = []
    for number, (status, visibility) in enumerate(product(DEMAND_WAYS, VISIBILITIES)):
        wanted.append(("enterprise", "demands", status, visibility, ("19", "06")[number % 2]))
    wanted += [("provider", "supplies", *pair) for pair in product(SUPPLY_WAYS, VISIBILITIES)]
    for visibility in VISIBILITIES:
        wanted += [
            ("enterprise-2", "demands", "PUBLISHED", visibility, "33"),
            ("enterprise-2", "supplies", "PUBLISHED", visibility),
            ("office-kr", "supplies", "PUBLISHED", visibility),
            ("operator", "demands", "PUBLISHED", visibility, None),
        ]
    wanted += [
        ("dost-33", "demands", "PUBLISHED", "PRIVATE", "33"),
        ("dost-33", "demands", "DRAFT", "PUBLIC", "33"),
        ("operator", "demands", "UNDER_REVIEW", "PUBLIC", "01"),
        ("enterprise", "supplies", "PUBLISHED", "PRIVATE"),
        ("exchange", "supplies", "DRAFT", "PUBLIC"),
    ]
    await gathered(world.plant(*each) for each in wanted)


async def gathered(works: Iterable[Awaitable[Any]]) -> list[Any]:
    """Await all, a few at a time."""
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(work: Awaitable[Any]) -> Any:
        async with gate:
            return await work

    return await asyncio.gather(*(one(work) for work in works))


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    home = tmp_path_factory.mktemp("crossings") / f"home-{uuid.uuid4().hex[:6]}"
    with local_suite(home) as suite:
        async with aiohttp.ClientSession() as http:
            made = World(suite, http)
            await _people(made)
            await _rows(made)
            await made.settled()
            yield made
