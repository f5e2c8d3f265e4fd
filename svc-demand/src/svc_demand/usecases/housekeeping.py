"""What is kept for a while only."""

from shared.db.idempotency import forget
from shared.imports.jobs import forget_jobs
from shared.outbox import Transactions
from svc_demand.storage.tables import idempotency, imports


async def forget_old(transactions: Transactions) -> bool:
    """Drop stored answers and finished imports after their time; never more to do."""
    async with transactions.begin() as work:
        await forget(work.connection, idempotency, work.now)
        await forget_jobs(work.connection, imports, work.now)
    return False
