"""Demands and supplies side by side, their tables written out by hand from the contract."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

import svc_demand.main
import svc_demand.settings
import svc_supply.main
import svc_supply.settings
from ketnoi.local import LocalServers
from shared.kernel.clock import utc_now
from shared.kernel.ids import new_id
from shared.outbox import Transactions
from svc_demand.usecases.demand_expiry import expire_demands
from svc_supply.usecases.supply_expiry import expire_supplies

Headers = dict[str, str]
Move = tuple[str, str]

DEMAND_TABLE = """
DRAFT RETURNED > SUBMITTED : owner dost operator : complete
SUBMITTED > UNDER_REVIEW : dost operator :
UNDER_REVIEW > RETURNED REJECTED : dost operator : reason
UNDER_REVIEW > VERIFIED : dost operator : checklist
VERIFIED > FORWARDED : dost operator :
FORWARDED > PUBLISHED : operator :
FORWARDED > RETURNED : operator : reason
PUBLISHED > ON_HOLD : owner dost operator : reason
ON_HOLD > PUBLISHED : owner dost operator : reason
PUBLISHED ON_HOLD > FULFILLED : owner operator system :
PUBLISHED ON_HOLD > EXPIRED : system : date_passed
EXPIRED > PUBLISHED : owner dost operator : new_date
DRAFT SUBMITTED UNDER_REVIEW RETURNED VERIFIED FORWARDED > WITHDRAWN : owner operator : reason
PUBLISHED ON_HOLD > WITHDRAWN : owner operator : reason
REJECTED FULFILLED WITHDRAWN EXPIRED > ARCHIVED : operator system :
"""

SUPPLY_TABLE = """
DRAFT RETURNED > SUBMITTED : owner operator : complete
SUBMITTED > UNDER_VALIDATION : operator :
UNDER_VALIDATION > RETURNED REJECTED : operator : reason
UNDER_VALIDATION > PUBLISHED : operator : not_prohibited
PUBLISHED > ON_HOLD : owner operator : reason
ON_HOLD > PUBLISHED : owner operator : reason not_prohibited
PUBLISHED > FLAGGED : operator system : reason
FLAGGED > PUBLISHED : operator : reason not_prohibited
FLAGGED > WITHDRAWN : operator : reason
PUBLISHED ON_HOLD > EXPIRED : system : date_passed
EXPIRED > PUBLISHED : owner operator : new_date not_prohibited
PUBLISHED ON_HOLD > TRANSFERRED_EXCLUSIVELY : owner operator system :
DRAFT SUBMITTED UNDER_VALIDATION RETURNED PUBLISHED ON_HOLD > WITHDRAWN : owner operator : reason
REJECTED EXPIRED WITHDRAWN TRANSFERRED_EXCLUSIVELY > ARCHIVED : operator system :
"""

FACTS = {"ON_HOLD": "held"}
"""Events that are not called as the status is."""


@dataclass(frozen=True)
class Rule:
    """One cell of a table: who may, and what it needs."""

    who: frozenset[str]
    needs: tuple[str, ...]


def _read(table: str) -> dict[Move, Rule]:
    found: dict[Move, Rule] = {}
    for line in table.strip().splitlines():
        way, who, needs = (part.strip() for part in line.split(":"))
        sources, targets = (part.split() for part in way.split(">"))
        for move in product(sources, targets):
            assert move not in found
            found[move] = Rule(frozenset(who.split()), tuple(needs.split()))
    return found


@dataclass(frozen=True)
class Kind:
    """One of the two resources: what the contract says of it, and the running service."""

    name: str
    plural: str
    subject: str
    date: str
    scope: str
    complete: Mapping[str, Any]
    table: Mapping[Move, Rule]
    writers: frozenset[str]
    expire: Callable[[Transactions], Awaitable[bool]]
    app: FastAPI
    client: httpx.AsyncClient
    statuses: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        statuses = dict.fromkeys(status for move in self.table for status in move)
        object.__setattr__(self, "statuses", tuple(statuses))

    @property
    def path(self) -> str:
        return f"/v1/{self.plural}"

    @property
    def transactions(self) -> Transactions:
        found: Transactions = self.app.state.transactions
        return found

    def allowed(self, status: str, who: Iterable[str]) -> set[str]:
        """Where one of `who` may go from `status`."""
        actors = set(who)
        return {
            to
            for (source, to), rule in self.table.items()
            if source == status and rule.who & actors
        }

    def fact(self, status: str) -> str:
        return FACTS.get(status, status.lower())

    def keyed(self, system: str, ref: str) -> dict[str, Any]:
        """The field that holds the sender's key."""
        if self.name == "demand":
            return {"source_ref": {"system": system, "ref": ref}}
        return {"source": {"system": system, "ref": ref}}

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.transactions.database.begin() as connection:
            result = await connection.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def events(self, ids: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
        """The events of some rows: (fact, version), in order."""
        wanted = list(ids)
        rows = await self.sql(
            "SELECT aggregate_id::text AS id, type, aggregate_version AS version FROM outbox"
            " WHERE aggregate_id = ANY(CAST(:ids AS uuid[])) ORDER BY seq",
            ids=wanted,
        )
        found: dict[str, list[tuple[str, int]]] = {each: [] for each in wanted}
        for row in rows:
            assert row.type.startswith(f"{self.subject}."), row.type
            found[row.id].append((row.type.split(".")[2], row.version))
        return found

    async def plant(self, status: str, headers: Headers, **said: Any) -> tuple[str, int]:
        """Make a row of the sending operator's tenant; return its id and version.

        What a row of this status could not begin with is changed afterwards; what has a date that
        is over was made while it was not.
        """
        first = {self.date: "2001-01-31"} if status == "EXPIRED" else {}
        answer = await self.client.put(
            f"{self.path}/by-ref/planted/{new_id()}",
            json={**self.complete, **first, "status": status},
            headers=headers,
        )
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert made["status"] == status
        change = {name: value for name, value in said.items() if made[name] != value}
        if change:
            with self.at(utc_now() - timedelta(days=30)):
                answer = await self.client.patch(
                    f"{self.path}/{made['id']}", json=change, headers=headers | {"If-Match": '"1"'}
                )
            assert answer.status_code == 200, answer.text
            assert answer.json()["status"] == status
        return made["id"], answer.json()["version"]

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let the service take this for now."""
        clock = self.transactions.clock
        self.transactions.clock = lambda: moment
        try:
            yield
        finally:
            self.transactions.clock = clock


COMPLETE = {
    "title": "Công nghệ sấy chè xanh",
    "description": "Dây chuyền sấy 500 kg búp tươi mỗi giờ.",
    "language": "vi",
}


Open = Callable[[], AbstractAsyncContextManager[dict[str, Kind]]]


@pytest.fixture(scope="session")
def open_kinds(servers: LocalServers, jwks_path: Path) -> Open:
    """Both services without their background halves: nothing moves but what a test moves."""
    return partial(_open_kinds, servers, jwks_path)


@pytest.fixture(scope="session")
async def kinds(open_kinds: Open) -> AsyncIterator[dict[str, Kind]]:
    async with open_kinds() as found:
        yield found


@asynccontextmanager
async def _open_kinds(servers: LocalServers, jwks_path: Path) -> AsyncIterator[dict[str, Kind]]:
    async with AsyncExitStack() as stack:

        async def serve(service: str, module: Any, settings: Any) -> dict[str, Any]:
            app = module.create_app(
                settings(
                    database_url=SecretStr(servers.database_url(service)),
                    nats_url=SecretStr(servers.nats_url(service)),
                    jwks_path=jwks_path,
                    cursor_key=SecretStr("cursor-key-of-the-tests"),
                    run_worker=False,
                )
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://service",
                headers={"Accept-Language": "en"},
            )
            return {"app": app, "client": await stack.enter_async_context(client)}

        yield {
            "demand": Kind(
                name="demand",
                plural="demands",
                subject="demand.request",
                date="needed_by",
                scope="demands:write",
                complete=COMPLETE | {"kind": "IMPROVEMENT", "province": "06"},
                table=_read(DEMAND_TABLE),
                writers=frozenset({"operator", "dost", "enterprise"}),
                expire=expire_demands,
                **await serve("svc-demand", svc_demand.main, svc_demand.settings.Settings),
            ),
            "supply": Kind(
                name="supply",
                plural="supplies",
                subject="supply.offer",
                date="available_until",
                scope="supplies:write",
                complete=COMPLETE | {"kind": "EQUIPMENT", "country": "KR"},
                table=_read(SUPPLY_TABLE),
                writers=frozenset({"operator", "office", "enterprise", "provider", "exchange"}),
                expire=expire_supplies,
                **await serve("svc-supply", svc_supply.main, svc_supply.settings.Settings),
            ),
        }


@pytest.fixture(params=["demand", "supply"])
def kind(request: pytest.FixtureRequest, kinds: dict[str, Kind]) -> Kind:
    return kinds[request.param]


@pytest.fixture
def operator(authorization: Callable[..., Headers]) -> Headers:
    return authorization("operator", "most")
