"""The OpenAPI document, and a page that shows it without any other host."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

DOCUMENT_PATH = "/openapi.json"
ASSETS = ("fastapi_standalone_docs", "static/swagger")
"""A package whose wheel holds Swagger UI (Apache-2.0, licence beside it); its code is not used."""

_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ketnoi API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<noscript>JavaScript is needed for this page; the document itself is
<a href="/openapi.json">/openapi.json</a>.</noscript>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null
});
"""


@router.get("/")
async def get_root() -> RedirectResponse:
    """There is no start page; the documentation is the best place to begin."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def get_docs() -> HTMLResponse:
    """Swagger UI over the merged document."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _SECURITY})


@router.get("/docs/start.js")
async def get_docs_start() -> Response:
    """Apart from the page, so that the page needs no inline script."""
    return Response(_START, media_type="text/javascript")


@router.get(DOCUMENT_PATH)
async def get_openapi(request: Request) -> Response:
    """The merged document, as `python -m gateway.openapi` wrote it."""
    return Response(request.app.state.openapi_document, media_type="application/json")


def install_docs(app: FastAPI) -> None:
    """Replace FastAPI's own document, which knows only the gateway's routes, by the merged one."""
    routes = app.router.routes
    own = next(route for route in routes if getattr(route, "path", "") == DOCUMENT_PATH)
    routes.remove(own)
    app.mount("/docs/assets", StaticFiles(directory=_assets()), name="docs-assets")


def load_document() -> bytes:
    """Read the committed document."""
    return files("gateway").joinpath("openapi.json").read_bytes()


def _assets() -> Path:
    package, folder = ASSETS
    return Path(str(files(package).joinpath(folder)))
