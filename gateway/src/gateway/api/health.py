"""The health of the whole suite in one document, or as a page for people."""

from fastapi import APIRouter, Request, Response

from gateway.usecases.health import SuiteHealth
from shared.http.health_routes import health_response

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def get_healthz(request: Request) -> Response:
    """What is broken, since when, what to do; then each part's own document."""
    suite: SuiteHealth = request.app.state.suite_health
    return health_response(request, await suite.document())
