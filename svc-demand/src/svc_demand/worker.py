"""The background half of svc-demand: relay, imports, expiry, housekeeping."""

import asyncio
import signal
from functools import partial

from shared.db import Database
from shared.imports.jobs import Imports
from shared.imports.runner import ImportRunner
from shared.outbox import Transactions, Worker, periodic
from shared.telemetry import configure_logging
from svc_demand.settings import Settings
from svc_demand.storage import tables
from svc_demand.usecases.demand_expiry import expire_demands
from svc_demand.usecases.housekeeping import forget_old
from svc_demand.usecases.importers import IMPORTERS

EXPIRY_SECONDS = 30.0
HOUSEKEEPING_SECONDS = 6 * 3600.0
SERVICE = "svc_demand"


def open_database(settings: Settings) -> Database:
    """Return the service's connections; none is opened before it is needed."""
    url = settings.database_url.get_secret_value()
    return Database(url, pool_size=settings.database_pool_size, name=SERVICE)


def open_transactions(database: Database) -> Transactions:
    """Return the units of work on this service's schema."""
    return Transactions(database, tables.messaging, source="ketnoi/svc-demand")


def open_imports(transactions: Transactions) -> Imports:
    """Return the import jobs of this service."""
    return Imports(transactions, tables.imports, tables.idempotency, IMPORTERS)


def build_worker(settings: Settings, transactions: Transactions, imports: Imports) -> Worker:
    """Wire what runs beside the HTTP app, or alone."""
    housekeeping = periodic("housekeeping", partial(forget_old, transactions), HOUSEKEEPING_SECONDS)
    expiry = periodic("expiry", partial(expire_demands, transactions), EXPIRY_SECONDS)
    return Worker(
        SERVICE,
        settings.nats_url.get_secret_value(),
        transactions,
        handlers={},
        loops=[ImportRunner(imports).loop, expiry, housekeeping],
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM."""
    database = open_database(settings)
    transactions = open_transactions(database)
    worker = build_worker(settings, transactions, open_imports(transactions))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        async with worker.running():
            await stop.wait()
    finally:
        await database.close()


def main() -> None:
    """Entry point of `python -m svc_demand.worker`."""
    settings = Settings.load()
    configure_logging(SERVICE, settings.log_level)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
