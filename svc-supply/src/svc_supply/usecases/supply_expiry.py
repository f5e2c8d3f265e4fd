"""Ends supplies whose date has passed."""

from shared.kernel.clock import vietnam_date
from shared.outbox import Transactions
from svc_supply.domain import supplies as rules
from svc_supply.storage import supplies as store
from svc_supply.usecases.supplies import record

BATCH = 100


async def expire_supplies(transactions: Transactions) -> bool:
    """Expire one batch; True when there may be more.

    Rows that another worker holds are passed by, so two workers never end one supply twice.
    """
    async with transactions.begin() as work:
        due = await store.lock_due(work.connection, vietnam_date(work.now), BATCH)
        await record(work, [rules.expire(stored, now=work.now) for stored in due])
    return len(due) == BATCH
