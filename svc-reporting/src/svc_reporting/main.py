"""The HTTP app of svc-reporting."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from shared.http.app import build_app
from shared.http.service_health import service_health
from shared.telemetry import configure_logging
from svc_reporting.api import dashboard
from svc_reporting.settings import Settings
from svc_reporting.worker import SERVICE, build_worker, open_database, open_transactions


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app; without an environment it serves nothing but its OpenAPI document."""
    settings = settings or Settings.load()
    configure_logging(SERVICE, settings.log_level)
    database = open_database(settings)
    transactions = open_transactions(database)
    worker = build_worker(settings, transactions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            if settings.run_worker:
                await stack.enter_async_context(worker.running())
            yield

    app = build_app(
        title="Ketnoi svc-reporting",
        description="Báo cáo và chỉ số · Reports and indicators.",
        version="1",
        settings=settings,
        routers=[dashboard.router],
        health=service_health(SERVICE, database, worker, run_worker=settings.run_worker),
        lifespan=lifespan,
    )
    app.state.transactions = transactions
    return app
