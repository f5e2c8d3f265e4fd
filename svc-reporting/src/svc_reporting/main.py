"""The HTTP app, with the worker beside it unless the worker runs alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from shared.http.app import build_app
from shared.http.health import Check, Health, passes
from shared.telemetry import configure_logging
from svc_reporting.api.dashboard import router as dashboard
from svc_reporting.settings import Settings
from svc_reporting.worker import SERVICE, build_transactions, build_worker


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the service; nothing is connected before the app starts."""
    settings = settings or Settings.load()
    configure_logging(SERVICE, settings.log_level)
    transactions = build_transactions(settings)
    worker = build_worker(settings, transactions)

    async def check_database() -> Check:
        return await passes(transactions.database.ping())

    async def check_nats() -> Check:
        # Without NATS the numbers grow old (`as_of` says how old), but they are still served.
        if not settings.run_worker or worker.bus.connected:
            return Check("pass")
        return Check("warn", output=worker.bus.last_error or "not connected")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transactions.database.close)
            if settings.run_worker:
                await stack.enter_async_context(worker.running())
            yield

    app = build_app(
        title="Ketnoi reporting",
        description="Indicators of demands, supplies and matches, counted from events.",
        version="1",
        settings=settings,
        routers=[dashboard],
        health=Health(SERVICE, {"database": check_database, "nats": check_nats}),
        lifespan=lifespan,
    )
    app.state.transactions = transactions
    return app
