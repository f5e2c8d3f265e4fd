"""The HTTP app, with the worker beside it unless the worker runs alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from shared.http.app import build_app
from shared.http.health import Health
from shared.http.metrics import MATCH_FRESHNESS, Reading
from shared.http.service_health import service_health
from shared.outbox import Worker
from shared.telemetry import configure_logging
from svc_matching.api.diagnoses import router as diagnoses
from svc_matching.api.epochs import router as epochs
from svc_matching.api.gaps import router as gaps
from svc_matching.api.matches import router as matches
from svc_matching.api.preview import router as preview
from svc_matching.api.proposals import router as proposals
from svc_matching.api.untagged import router as untagged
from svc_matching.api.vocabularies import router as vocabularies
from svc_matching.settings import Settings
from svc_matching.usecases.freshness import check_freshness, check_index, seconds_behind
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.untagged import UntaggedReports
from svc_matching.usecases.vocabularies import Catalogues
from svc_matching.worker import SERVICE, build_transactions, build_worker, choose_milvus


def create_app(settings: Settings | None = None) -> FastAPI:
    """Wire the service; nothing is connected before the app starts."""
    settings = settings or Settings.load()
    configure_logging(SERVICE, settings.log_level)
    milvus = choose_milvus(settings)
    transactions = build_transactions(settings, milvus)
    worker = build_worker(settings, transactions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(transactions.database.close)
            if milvus is not None:
                stack.callback(milvus.close)
            stack.push_async_callback(transactions.matcher.embeddings.close)
            stack.callback(transactions.matcher.close)
            if settings.run_worker:
                await stack.enter_async_context(worker.running())
            yield

    health = _health(settings, transactions, worker)
    if milvus is not None and settings.run_worker:
        health.add("candidates", milvus.check)
    app = build_app(
        title="Ketnoi matching",
        description="Ranked, explained matches of demand and supply, and diagnoses.",
        version="1",
        settings=settings,
        routers=[matches, diagnoses, preview, gaps, proposals, untagged, vocabularies, epochs],
        health=health,
        lifespan=lifespan,
    )
    app.state.transactions = transactions
    app.state.catalogues = Catalogues()
    app.state.untagged = UntaggedReports(transactions)
    return app


def _health(settings: Settings, transactions: MatchingTransactions, worker: Worker) -> Health:
    async def collect(reading: Reading) -> None:
        reading.put(MATCH_FRESHNESS, await seconds_behind(transactions))

    database, with_worker = transactions.database, settings.run_worker
    health = service_health(SERVICE, database, worker, run_worker=with_worker)
    health.add("freshness", partial(check_freshness, transactions), after="database")
    health.collect(collect)
    if with_worker:
        health.add("index", partial(check_index, transactions), needed=True)
        if transactions.matcher.embeddings.embedder is not None:
            health.add("embedder", transactions.matcher.embeddings.check)
    return health
