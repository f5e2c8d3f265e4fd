"""The health of the whole suite, gathered from its services."""

import asyncio
import time
from typing import Any

from gateway.clients.upstreams import Upstreams
from shared.http.health import CACHE_SECONDS, CHECK_SECONDS, Health

_ORDER = {"pass": 0, "warn": 1, "fail": 2}


class SuiteHealth:
    """The gateway's own document with one of each service; one look at a time, kept briefly."""

    def __init__(self, own: Health, upstreams: Upstreams) -> None:
        self._own = own
        self._upstreams = upstreams
        self._lock = asyncio.Lock()
        self._at = 0.0
        self._document: dict[str, Any] = {}

    async def document(self) -> dict[str, Any]:
        """Return the health+json document; `status` is the worst of all."""
        async with self._lock:
            if not self._document or time.monotonic() - self._at > CACHE_SECONDS:
                self._document = await self._gather()
                self._at = time.monotonic()
        return self._document

    async def _gather(self) -> dict[str, Any]:
        own, *found = await asyncio.gather(
            self._own.document(),
            *(upstream.health(CHECK_SECONDS) for upstream in self._upstreams.values()),
        )
        services = {}
        for upstream, document in zip(self._upstreams.values(), found, strict=True):
            services[f"svc-{upstream.part}"] = document | {"breaker": upstream.guard.breaker.state}
        states = [str(document.get("status")) for document in (own, *found)]
        worst = max(states, key=lambda state: _ORDER.get(state, _ORDER["fail"]))
        return own | {"status": worst, "services": services}
