"""The background half: consumers of the other services' events, and the relay of our own."""

import asyncio
import signal

from shared.db import Database
from shared.outbox import Transactions, Worker
from shared.telemetry import configure_logging
from svc_reporting.consumers.demands import on_demand_events
from svc_reporting.consumers.matches import on_matching_events
from svc_reporting.consumers.supplies import on_supply_events
from svc_reporting.settings import Settings
from svc_reporting.storage.tables import messaging

SERVICE = "svc_reporting"


def build_transactions(settings: Settings) -> Transactions:
    """Return the way into this service's schema; nothing is connected yet."""
    url = settings.database_url.get_secret_value() or "postgresql+asyncpg://"
    database = Database(url, pool_size=settings.database_pool_size, name=SERVICE)
    return Transactions(database, messaging, source="ketnoi/svc-reporting")


def build_worker(settings: Settings, transactions: Transactions) -> Worker:
    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        handlers={
            "reporting-demand": on_demand_events,
            "reporting-supply": on_supply_events,
            "reporting-matching": on_matching_events,
        },
    )


async def _run(settings: Settings) -> None:
    transactions = build_transactions(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with build_worker(settings, transactions).running():
        await stop.wait()
    await transactions.database.close()


def main() -> None:
    """Run without the HTTP app, until SIGTERM."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
