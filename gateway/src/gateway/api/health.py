"""The health of the whole suite in one document."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.usecases.health import SuiteHealth

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def get_healthz(request: Request) -> Response:
    """The worst status of all, and each service's own document."""
    suite: SuiteHealth = request.app.state.suite_health
    document = await suite.document()
    status = 503 if document["status"] == "fail" else 200
    return JSONResponse(document, status, media_type="application/health+json")
