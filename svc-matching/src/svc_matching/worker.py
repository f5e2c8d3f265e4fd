"""The background half: the matcher, consumers of both sides' events, and the relay of our own."""

import asyncio
import signal
from functools import partial
from typing import TYPE_CHECKING

from shared.db import Database
from shared.outbox import Worker, periodic
from shared.telemetry import configure_logging
from svc_matching.consumers.items import demand_handler, supply_handler
from svc_matching.engine.candidates import LocalIndex
from svc_matching.engine.embedding import Embedder
from svc_matching.engine.weights import read_weights
from svc_matching.settings import Settings
from svc_matching.storage.tables import messaging
from svc_matching.usecases.embeddings import Embeddings
from svc_matching.usecases.epochs import keep_epochs
from svc_matching.usecases.housekeeping import forget_old
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.unembedded import keep_embeddings
from svc_matching.usecases.unmatched import rank_unmatched
from svc_matching.usecases.vocabulary_epochs import VocabularyEpochs

if TYPE_CHECKING:
    from svc_matching.clients.milvus import Milvus

SERVICE = "svc_matching"
VOCABULARY_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 6 * 3600.0


def choose_milvus(settings: Settings) -> "Milvus | None":
    """Return the way to Milvus if it is to find the candidates; nothing is connected yet."""
    if settings.matching_candidates == "local":
        return None
    # An optional library of 100 MB: only whoever chose it has or loads it.
    from svc_matching.clients.milvus import Milvus

    return Milvus(settings.milvus_uri.get_secret_value())


def build_transactions(settings: Settings, milvus: "Milvus | None" = None) -> MatchingTransactions:
    """Return the way into this service's schema; nothing is connected yet."""
    url = settings.database_url.get_secret_value() or "postgresql+asyncpg://"
    database = Database(url, pool_size=settings.database_pool_size, name=SERVICE)
    embeddings = Embeddings(
        build_embedder(settings), text_characters=settings.embeddings_text_characters
    )
    matcher = Matcher(
        read_weights(settings.weights_path) if settings.weights_path else None,
        quiet_seconds=settings.quiet_seconds,
        usual_capacity=settings.usual_capacity if settings.capacity_prices else None,
        snapshot_folder=settings.snapshot_folder,
        candidates=LocalIndex if milvus is None else milvus.source,
        embeddings=embeddings,
    )
    return MatchingTransactions(database, messaging, "ketnoi/svc-matching", matcher)


def build_embedder(settings: Settings) -> Embedder | None:
    """Return the embedder that the settings name, if they name one; nothing is asked yet.

    Where none is named, nothing that speaks to one is loaded.
    """
    dimensions = settings.embeddings_dimensions
    if dimensions is None:
        return None
    if settings.embeddings_path is not None:
        from svc_matching.clients.embeddings_local import LocalEmbedder

        return LocalEmbedder(settings.embeddings_path, dimensions)
    if settings.embeddings_url is not None:
        from svc_matching.clients.embeddings_http import HttpEmbedder

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

    next_epochs = VocabularyEpochs(transactions, quiet_seconds=settings.quiet_seconds)
    vocabulary = periodic("vocabulary", next_epochs.step, VOCABULARY_SECONDS)
    housekeeping = periodic("housekeeping", partial(forget_old, transactions), HOUSEKEEPING_SECONDS)
    loops = [epochs, vocabulary, housekeeping]
    if matcher.embeddings.embedder is not None:
        loops.append(embeddings)
    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        handlers={
            "matching-demand": demand_handler(matcher),
            "matching-supply": supply_handler(matcher),
        },
        loops=loops,
        repairs={"unmatched_versions": partial(rank_unmatched, transactions)},
    )


async def _run(settings: Settings) -> None:
    milvus = choose_milvus(settings)
    transactions = build_transactions(settings, milvus)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with build_worker(settings, transactions).running():
        await stop.wait()
    transactions.matcher.close()
    await transactions.matcher.embeddings.close()
    if milvus is not None:
        milvus.close()
    await transactions.database.close()


def main() -> None:
    """Run without the HTTP app, until SIGTERM."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
