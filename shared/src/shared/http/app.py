"""The one way a service's HTTP app is made."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from shared.http.auth import TokenVerifier
from shared.http.cursors import Cursors
from shared.http.direct import DirectRoutes
from shared.http.faults import install_fault_handlers
from shared.http.health import Health
from shared.http.health_routes import health_router
from shared.http.middleware import (
    BodyLimitMiddleware,
    DeadlineMiddleware,
    TelemetryMiddleware,
)
from shared.http.problems import (
    PROBLEM_RESPONSES,
    Problem,
    on_crash,
    on_http_exception,
    on_invalid_request,
    on_refusal,
)
from shared.kernel.errors import KetnoiError
from shared.settings import ServiceSettings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

SERVICE_MIDDLEWARE = (
    Middleware(TelemetryMiddleware),
    Middleware(DeadlineMiddleware),
    Middleware(BodyLimitMiddleware),
)
"""Outside in."""

# No OpenTelemetry provider is configured here; without this each request asks for three.
_NO_OPENTELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False}


class _App(FastAPI):
    """FastAPI with middleware around its whole stack, not within it.

    So an answer to a crash carries a request id, too, and what the gateway passes through does
    not go through three layers that could only concern its own routes.
    """

    around: Sequence[Middleware] = ()

    def build_middleware_stack(self) -> ASGIApp:
        app = super().build_middleware_stack()
        for cls, args, kwargs in reversed(self.around):
            app = cls(app, *args, **kwargs)
        return app


def build_app(
    *,
    title: str,
    description: str,
    version: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    health: Health,
    lifespan: Lifespan,
    around: Sequence[Middleware] = SERVICE_MIDDLEWARE,
) -> FastAPI:
    """Return the app: routes, problems for every refusal, health, limits, telemetry.

    `app.state` carries `verifier`, `cursors`, `health` and whatever the lifespan adds.
    """
    app = _App(
        telemetry=_NO_OPENTELEMETRY,
        title=title,
        description=description,
        version=version,
        lifespan=_watched(lifespan, health),
        docs_url=None,
        redirect_slashes=False,  # a redirect would name this process, not the gateway
        redoc_url=None,
        responses=PROBLEM_RESPONSES,
        generate_unique_id_function=_operation_id,
    )
    app.around = around
    app.add_middleware(DirectRoutes)
    app.state.settings = settings
    app.state.verifier = TokenVerifier(settings.jwks_path)
    app.state.cursors = Cursors(settings.cursor_key.get_secret_value())
    app.state.health = health
    health.add("tokens", app.state.verifier.clock_check)
    app.add_exception_handler(KetnoiError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_crash)
    install_fault_handlers(app)
    for router in routers:
        app.include_router(router)
    app.include_router(health_router(health))
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented hook
    return app


def _watched(lifespan: Lifespan, health: Health) -> Lifespan:
    @asynccontextmanager
    async def watched(app: FastAPI) -> AsyncIterator[None]:
        async with health.running(), lifespan(app):
            yield

    return watched


def _operation_id(route: APIRoute) -> str:
    return route.name


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with our problems in place of its 422 and with the Bearer scheme."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        }
        for path in document["paths"].values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation.setdefault("security", [{"bearer": []}, {}])
        app.openapi_schema = document
    return app.openapi_schema
