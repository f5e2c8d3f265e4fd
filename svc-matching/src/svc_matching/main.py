"""The HTTP app, with the worker beside it unless the worker runs alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from shared.http.app import build_app
from shared.http.health import Check, Health, passes
from shared.telemetry import configure_logging
from svc_matching.api.diagnoses import router as diagnoses
from svc_matching.api.epochs import router as epochs
from svc_matching.api.matches import router as matches
from svc_matching.settings import Settings
from svc_matching.worker import SERVICE, build_transactions, build_worker


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the service; nothing is connected before the app starts."""
    settings = settings or Settings.load()
    configure_logging(SERVICE, settings.log_level)
    transactions = build_transactions(settings)
    worker = build_worker(settings, transactions)

    async def check_database() -> Check:
        return await passes(transactions.database.ping())

    async def check_nats() -> Check:
        # Without NATS the lists grow old, but they are still served.
        if not settings.run_worker or worker.bus.connected:
            return Check("pass")
        return Check("warn", output=worker.bus.last_error or "not connected")

    async def check_index() -> Check:
        if not settings.run_worker or transactions.matcher.loaded:
            return Check("pass")
        return Check("fail", output="the index is being loaded")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transactions.database.close)
            stack.callback(transactions.matcher.close)
            if settings.run_worker:
                await stack.enter_async_context(worker.running())
            yield

    app = build_app(
        title="Ketnoi matching",
        description="Ranked, explained matches of demand and supply, and diagnoses.",
        version="1",
        settings=settings,
        routers=[matches, diagnoses, epochs],
        health=Health(
            SERVICE, {"database": check_database, "nats": check_nats, "index": check_index}
        ),
        lifespan=lifespan,
    )
    app.state.transactions = transactions
    return app
