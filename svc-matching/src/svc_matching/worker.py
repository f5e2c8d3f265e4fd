"""The background half: the matcher, consumers of both sides' events, and the relay of our own."""

import asyncio
import signal
from functools import partial

from shared.db import Database
from shared.outbox import Worker
from shared.telemetry import configure_logging
from svc_matching.clients.embeddings_http import HttpEmbedder
from svc_matching.clients.embeddings_local import LocalEmbedder
from svc_matching.consumers.items import demand_handler, supply_handler
from svc_matching.engine.embedding import Embedder
from svc_matching.settings import Settings
from svc_matching.storage.tables import messaging
from svc_matching.usecases.embeddings import Embeddings
from svc_matching.usecases.epochs import keep_epochs
from svc_matching.usecases.matcher import Matcher, MatchingTransactions
from svc_matching.usecases.unembedded import keep_embeddings
from svc_matching.usecases.unmatched import rank_unmatched

SERVICE = "svc_matching"


def build_transactions(settings: Settings) -> MatchingTransactions:
    """Return the way into this service's schema; nothing is connected yet."""
    url = settings.database_url.get_secret_value() or "postgresql+asyncpg://"
    database = Database(url, pool_size=settings.database_pool_size, name=SERVICE)
    embeddings = Embeddings(
        build_embedder(settings), text_characters=settings.embeddings_text_characters
    )
    matcher = Matcher(quiet_seconds=settings.quiet_seconds, embeddings=embeddings)
    return MatchingTransactions(database, messaging, "ketnoi/svc-matching", matcher)


def build_embedder(settings: Settings) -> Embedder | None:
    """Return the embedder that the settings name, if they name one; nothing is asked yet."""
    dimensions = settings.embeddings_dimensions
    if dimensions is None:
        return None
    if settings.embeddings_path is not None:
        return LocalEmbedder(settings.embeddings_path, dimensions)
    if settings.embeddings_url is not None:
        return HttpEmbedder(
            str(settings.embeddings_url),
            settings.embeddings_model,
            dimensions,
            key=settings.embeddings_key.get_secret_value(),
            version=settings.embeddings_version,
            prefixes=(settings.embeddings_query_prefix, settings.embeddings_passage_prefix),
            timeout_seconds=settings.embeddings_timeout_seconds,
        )
    return None


def build_worker(settings: Settings, transactions: MatchingTransactions) -> Worker:
    matcher = transactions.matcher

    async def epochs(stop: asyncio.Event) -> None:
        await keep_epochs(transactions, stop)

    async def embeddings(stop: asyncio.Event) -> None:
        await keep_embeddings(transactions, stop)

    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        handlers={
            "matching-demand": demand_handler(matcher),
            "matching-supply": supply_handler(matcher),
        },
        loops=[epochs] if matcher.embeddings.embedder is None else [epochs, embeddings],
        repairs={"unmatched_versions": partial(rank_unmatched, transactions)},
    )


async def _run(settings: Settings) -> None:
    transactions = build_transactions(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with build_worker(settings, transactions).running():
        await stop.wait()
    transactions.matcher.close()
    await transactions.matcher.embeddings.close()
    await transactions.database.close()


def main() -> None:
    """Run without the HTTP app, until SIGTERM."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
