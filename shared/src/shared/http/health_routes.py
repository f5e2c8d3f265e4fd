"""`/livez`, `/startupz`, `/readyz`, `/healthz` and `/metrics` of every process."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from shared.http import metrics
from shared.http.health import Health
from shared.http.health_page import page, wants_page
from shared.http.problems import prefers_english

HEALTH_JSON = "application/health+json"
_NO_STORE = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}
_LOCKED = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}


def health_router(health: Health) -> APIRouter:
    """Return the routes; a process that gathers others' health puts its own `/healthz` first."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def get_livez() -> Response:
        """The event loop gets its turn; no dependency is looked at."""
        body = {"status": "pass" if health.alive() else "fail", "lag": round(health.loop.lag(), 3)}
        return JSONResponse(body, 200 if health.alive() else 503)

    @router.get("/startupz")
    async def get_startupz() -> Response:
        """What has to be there before the first request: migrations, streams, consumers."""
        lacking = await health.not_started()
        named = {name: state.output or state.code for name, state in lacking.items()}
        body = {"status": "fail" if lacking else "pass", "lacking": named}
        return JSONResponse(body, 503 if lacking else 200)

    @router.get("/readyz")
    async def get_readyz() -> Response:
        """Ready to serve: 503 when a needed part fails or the service is leaving."""
        failing = await health.not_ready()
        body = {"status": "fail" if failing else "pass", "failing": failing}
        return JSONResponse(body, 503 if failing else 200)

    @router.get("/healthz")
    async def get_healthz(request: Request) -> Response:
        """Everything in detail."""
        return health_response(request, await health.document())

    @router.get("/metrics")
    async def get_metrics() -> Response:
        """Prometheus text format."""
        found = metrics.exposition(await health.read_metrics())
        return Response(found, media_type=CONTENT_TYPE_LATEST)

    return router


def health_response(request: Request, document: dict[str, object]) -> Response:
    """Return the document, or for a browser the same as a page."""
    status = 503 if document["status"] == "fail" else 200
    if wants_page(request.headers.get("accept")):
        english = prefers_english(request.headers.get("accept-language"))
        return HTMLResponse(page(document, english=english), status, headers=_NO_STORE | _LOCKED)
    return JSONResponse(document, status, headers=_NO_STORE, media_type=HEALTH_JSON)
