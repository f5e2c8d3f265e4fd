"""Ends demands whose date has passed."""

from shared.kernel.clock import vietnam_date
from shared.outbox import Transactions
from svc_demand.domain import demands as rules
from svc_demand.storage import demands as store
from svc_demand.usecases.demands import record

BATCH = 100


async def expire_demands(transactions: Transactions) -> bool:
    """Expire one batch; True when there may be more.

    Rows that another worker holds are passed by, so two workers never end one demand twice.
    """
    async with transactions.begin() as work:
        due = await store.lock_due(work.connection, vietnam_date(work.now), BATCH)
        await record(work, [rules.expire(stored, now=work.now) for stored in due])
    return len(due) == BATCH
