"""The health of the whole suite, gathered from its services: what is broken comes first."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.clients.upstreams import Upstreams
from gateway.domain.paths import Part
from shared.http.health import Health, entry
from shared.http.metrics import BREAKER, UPSTREAM_IN_FLIGHT, Reading
from shared.kernel.health import WORST, Check

PART_SECONDS = 1.0
"""What each part has to answer in; all are asked at once."""
CACHE_SECONDS = 2.0
FAILURE_CACHE_SECONDS = 1.0
_UNINTERESTING = "not_checked"
_CAUSES = ("process", "database", "disk", "nats", "broker")
"""What is more often the cause stands before what is more often its effect."""
_STATES = {"closed": 0, "half-open": 1, "open": 2}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class SuiteHealth:
    """The gateway's own document with one of each service; one look at a time, kept briefly."""

    def __init__(self, own: Health, upstreams: Upstreams, clock: Callable[[], str] = _now) -> None:
        self._own = own
        self._upstreams = upstreams
        self._clock = clock
        self._lock = asyncio.Lock()
        self._at = 0.0
        self._document: dict[str, Any] = {}
        self._silent: dict[Part, tuple[str, str]] = {}
        own.add("upstreams", self._breakers)
        own.collect(self._collect)

    async def document(self) -> dict[str, Any]:
        """Return the health+json document; `status` is the worst of all."""
        async with self._lock:
            failing = self._document.get("status") == "fail"
            kept = FAILURE_CACHE_SECONDS if failing else CACHE_SECONDS
            if not self._document or time.monotonic() - self._at > kept:
                self._document = await self._gather()
                self._at = time.monotonic()
        return self._document

    async def _gather(self) -> dict[str, Any]:
        own, *found = await asyncio.gather(
            self._own.document(), *(self._ask(part) for part in self._upstreams)
        )
        named = {f"svc-{part}": seen for part, seen in zip(self._upstreams, found, strict=True)}
        worst_first = sorted(named, key=lambda name: -_rank(named[name]))
        return {
            "status": max((own, *found), key=_rank)["status"],
            "serviceId": own["serviceId"],
            "broken": _broken({"gateway": own, **named}),
            "checks": own["checks"],
            "services": {name: named[name] for name in worst_first},
        }

    async def _ask(self, part: Part) -> dict[str, Any]:
        upstream = self._upstreams[part]
        document = await upstream.health(PART_SECONDS)
        breaker = {"breaker": upstream.guard.breaker.state}
        if isinstance(document, Check):
            since = self._silent_since(part, document.code)
            checks = {"process": [entry(document, since)]}
            return {"status": "fail", "serviceId": f"svc-{part}", "checks": checks} | breaker
        self._silent.pop(part, None)
        return document | {"status": _status(document)} | breaker

    def _silent_since(self, part: Part, code: str) -> str:
        before = self._silent.get(part)
        if before is None or before[0] != code:
            self._silent[part] = (code, self._clock())
        return self._silent[part][1]

    async def _breakers(self) -> Check:
        guards = {str(part): upstream.guard for part, upstream in self._upstreams.items()}
        opened = [part for part, guard in guards.items() if guard.breaker.state != "closed"]
        if opened:
            return Check("warn", "breaker_open", len(opened), "services", ", ".join(opened))
        full = [part for part, guard in guards.items() if guard.inside >= guard.room]
        if full:
            return Check("warn", "bulkhead_full", len(full), "services", ", ".join(full))
        return Check("pass", observed=sum(g.inside for g in guards.values()), unit="calls")

    async def _collect(self, reading: Reading) -> None:
        for part, upstream in self._upstreams.items():
            reading.put(BREAKER, _STATES[upstream.guard.breaker.state], str(part))
            reading.put(UPSTREAM_IN_FLIGHT, upstream.guard.inside, str(part))


def _status(document: Mapping[str, Any]) -> str:
    status = document.get("status")
    return status if isinstance(status, str) and status in WORST else "fail"


def _rank(document: Mapping[str, Any]) -> int:
    return WORST[_status(document)]


def _broken(documents: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is not well, the same trouble of several parts as one."""
    troubles: dict[tuple[str, str, str], dict[str, Any]] = {}
    for part, check, found in _findings(documents):
        key = (check, str(found.get("code", "")), _status(found))
        known = troubles.setdefault(key, {"check": check, "parts": [], **found})
        known["parts"].append(part)
        known["since"] = min(str(known.get("since", "")), str(found.get("since", "")))
    return sorted(troubles.values(), key=_urgency)


def _findings(
    documents: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for part, document in documents.items():
        checks = document.get("checks")
        for name, measured in checks.items() if isinstance(checks, dict) else ():
            for found in measured if isinstance(measured, list) else ():
                if (
                    isinstance(found, dict)
                    and found.get("status") != "pass"
                    and found.get("code") != _UNINTERESTING
                ):
                    yield part, name, found


def _urgency(trouble: Mapping[str, Any]) -> tuple[int, int, int]:
    check = trouble["check"]
    cause = _CAUSES.index(check) if check in _CAUSES else len(_CAUSES)
    return -_rank(trouble), cause, -len(trouble["parts"])
