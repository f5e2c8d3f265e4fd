"""The background half of svc-reporting: consumers of the others' events, and its own relay."""

import asyncio
import signal

from shared.db import Database
from shared.outbox import Handler, Transactions, Worker
from shared.telemetry import configure_logging
from svc_reporting.consumers.demands import on_demand_events
from svc_reporting.consumers.matches import on_matching_events
from svc_reporting.consumers.supplies import on_supply_events
from svc_reporting.settings import Settings
from svc_reporting.storage import tables

SERVICE = "svc_reporting"
HANDLERS: dict[str, Handler] = {
    "reporting-demand": on_demand_events,
    "reporting-supply": on_supply_events,
    "reporting-matching": on_matching_events,
}
"""By consumer. All that this service keeps comes from them, so it can be rebuilt from events."""


def open_database(settings: Settings) -> Database:
    """Return the service's connections; none is opened before it is needed."""
    url = settings.database_url.get_secret_value()
    return Database(url, pool_size=settings.database_pool_size, name=SERVICE)


def open_transactions(database: Database) -> Transactions:
    """Return the units of work on this service's schema."""
    return Transactions(database, tables.messaging, source="ketnoi/svc-reporting")


def build_worker(settings: Settings, transactions: Transactions) -> Worker:
    """Wire what runs beside the HTTP app, or alone."""
    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        HANDLERS,
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    database = open_database(settings)
    worker = build_worker(settings, open_transactions(database))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        async with worker.running():
            await stop.wait()
    finally:
        await database.close()


def main() -> None:
    """Entry point of `python -m svc_reporting.worker`."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
