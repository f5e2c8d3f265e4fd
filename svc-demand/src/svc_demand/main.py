"""The HTTP app of svc-demand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from shared.http.app import build_app
from shared.http.service_health import service_health
from shared.imports import routes as imports_routes
from shared.telemetry import configure_logging
from svc_demand.api import demands
from svc_demand.settings import Settings
from svc_demand.worker import (
    SERVICE,
    build_worker,
    open_database,
    open_imports,
    open_transactions,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app; without an environment it serves nothing but its OpenAPI document."""
    settings = settings or Settings.load()
    configure_logging(SERVICE, settings.log_level)
    database = open_database(settings)
    transactions = open_transactions(database)
    imports = open_imports(transactions)
    worker = build_worker(settings, transactions, imports)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            if settings.run_worker:
                await stack.enter_async_context(worker.running())
            yield

    app = build_app(
        title="Ketnoi svc-demand",
        description="Nhu cầu công nghệ · Technology demands.",
        version="1",
        settings=settings,
        routers=[demands.router, imports_routes.router],
        health=service_health(SERVICE, database, worker, run_worker=settings.run_worker),
        lifespan=lifespan,
    )
    app.state.transactions = transactions
    app.state.imports = imports
    return app
