"""What is kept for a while only."""

from shared.db.idempotency import forget
from shared.outbox import Transactions
from svc_demand.storage.tables import idempotency


async def forget_answers(transactions: Transactions) -> bool:
    """Drop the stored answers to repeated requests after their time; never more to do."""
    async with transactions.begin() as work:
        await forget(work.connection, idempotency, work.now)
    return False
