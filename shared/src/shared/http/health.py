"""Health for operations staff: alive, started, ready, and in detail what is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

CHECK_SECONDS = 1.0
CACHE_SECONDS = 2.0
FAILURE_CACHE_SECONDS = 0.2
"""A recovery is seen at once; a dead dependency is still not asked by every probe."""
_ORDER = {"pass": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One component's state: `warn` still serves, `fail` does not."""

    status: str
    observed: object = None
    output: str | None = None


CheckFunction = Callable[[], Awaitable[Check]]


async def passes(probe: Awaitable[object]) -> Check:
    """Turn a probe that raises on failure into a check."""
    await probe
    return Check("pass")


class Health:
    """Runs the checks of one service: in parallel, bounded in time, cached, one run at a time."""

    def __init__(self, service: str, checks: Mapping[str, CheckFunction]) -> None:
        self.service = service
        self._checks = checks
        self._lock = asyncio.Lock()
        self._at = 0.0
        self._found: dict[str, Check] = {}
        self._since: dict[str, tuple[str, str]] = {}
        self.draining = False

    async def check(self) -> dict[str, Check]:
        """Return every component's state, at most `CACHE_SECONDS` old."""
        async with self._lock:
            failing = any(state.status == "fail" for state in self._found.values())
            kept = FAILURE_CACHE_SECONDS if failing else CACHE_SECONDS
            if time.monotonic() - self._at > kept or not self._found:
                found = await asyncio.gather(*(self._run(run) for run in self._checks.values()))
                self._found = dict(zip(self._checks, found, strict=True))
                self._at = time.monotonic()
                for name, state in self._found.items():
                    if self._since.get(name, ("",))[0] != state.status:
                        self._since[name] = (state.status, datetime.now(UTC).isoformat())
        return self._found

    @staticmethod
    async def _run(run: CheckFunction) -> Check:
        try:
            return await asyncio.wait_for(run(), CHECK_SECONDS)
        except TimeoutError:
            return Check("fail", output=f"no answer within {CHECK_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - any failure of a probe is its finding
            return Check("fail", output=f"{type(error).__name__}: {error}"[:500])

    async def document(self) -> dict[str, object]:
        """Return the `application/health+json` document."""
        found = await self.check()
        worst = max(
            (state.status for state in found.values()), key=_ORDER.__getitem__, default="pass"
        )
        return {
            "status": "fail" if self.draining else worst,
            "serviceId": self.service,
            "checks": {
                name: [
                    {
                        "status": state.status,
                        "observedValue": state.observed,
                        "output": state.output,
                        "since": self._since[name][1],
                    }
                ]
                for name, state in found.items()
            },
        }


def health_router(health: Health) -> APIRouter:
    """Return `/livez`, `/startupz`, `/readyz`, `/healthz` and `/metrics`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def get_livez() -> dict[str, str]:
        """The event loop answers; deliberately looks at nothing else."""
        return {"status": "pass"}

    @router.get("/startupz")
    @router.get("/readyz")
    async def get_readyz() -> Response:
        """Ready to serve: 503 when a component fails or the service is leaving."""
        found = await health.check()
        failing = sorted(name for name, state in found.items() if state.status == "fail")
        ready = not failing and not health.draining
        body = {"status": "pass" if ready else "fail", "failing": failing}
        return JSONResponse(body, 200 if ready else 503)

    @router.get("/healthz")
    async def get_healthz() -> Response:
        """Everything in detail."""
        document = await health.document()
        status = 503 if document["status"] == "fail" else 200
        return JSONResponse(document, status, media_type="application/health+json")

    @router.get("/metrics")
    async def get_metrics(_: Request) -> Response:
        """Prometheus text format."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
