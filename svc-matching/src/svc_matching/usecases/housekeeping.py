"""What is kept for a while only."""

from shared.db.idempotency import forget
from svc_matching.storage.tables import idempotency
from svc_matching.usecases.transactions import MatchingTransactions


async def forget_old(transactions: MatchingTransactions) -> bool:
    """Drop stored answers after their time; never more to do."""
    async with transactions.aside() as work:
        await forget(work.connection, idempotency, work.now)
    return False
