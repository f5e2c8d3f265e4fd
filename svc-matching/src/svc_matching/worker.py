"""The background half: the matcher, consumers of both sides' events, and the relay of our own."""

import asyncio
import signal
from functools import partial

from shared.db import Database
from shared.outbox import Worker, periodic
from shared.telemetry import configure_logging
from svc_matching.consumers.items import demand_handler, supply_handler
from svc_matching.engine.weights import read_weights
from svc_matching.settings import Settings
from svc_matching.storage.tables import messaging
from svc_matching.usecases.epochs import keep_epochs
from svc_matching.usecases.housekeeping import forget_old
from svc_matching.usecases.matcher import Matcher, MatchingTransactions
from svc_matching.usecases.unmatched import rank_unmatched
from svc_matching.usecases.vocabulary_epochs import VocabularyEpochs

SERVICE = "svc_matching"
VOCABULARY_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 6 * 3600.0


def build_transactions(settings: Settings) -> MatchingTransactions:
    """Return the way into this service's schema; nothing is connected yet."""
    url = settings.database_url.get_secret_value() or "postgresql+asyncpg://"
    database = Database(url, pool_size=settings.database_pool_size, name=SERVICE)
    matcher = Matcher(
        read_weights(settings.weights_path) if settings.weights_path else None,
        quiet_seconds=settings.quiet_seconds,
        usual_capacity=settings.usual_capacity if settings.capacity_prices else None,
    )
    return MatchingTransactions(database, messaging, "ketnoi/svc-matching", matcher)


def build_worker(settings: Settings, transactions: MatchingTransactions) -> Worker:
    matcher = transactions.matcher

    async def epochs(stop: asyncio.Event) -> None:
        await keep_epochs(transactions, stop)

    next_epochs = VocabularyEpochs(transactions, quiet_seconds=settings.quiet_seconds)
    vocabulary = periodic("vocabulary", next_epochs.step, VOCABULARY_SECONDS)
    housekeeping = periodic("housekeeping", partial(forget_old, transactions), HOUSEKEEPING_SECONDS)
    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        handlers={
            "matching-demand": demand_handler(matcher),
            "matching-supply": supply_handler(matcher),
        },
        loops=[epochs, vocabulary, housekeeping],
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
    await transactions.database.close()


def main() -> None:
    """Run without the HTTP app, until SIGTERM."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
