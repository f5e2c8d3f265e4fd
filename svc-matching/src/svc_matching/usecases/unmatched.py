"""The reconciler's question to this service: is every open demand ranked in its newest version?"""

from datetime import timedelta

from svc_matching.storage.unmatched import read_unmatched
from svc_matching.usecases.lists import rank_lists
from svc_matching.usecases.transactions import MatchingTransactions

LATE_SECONDS = 60
BATCH = 16


async def rank_unmatched(transactions: MatchingTransactions) -> int:
    """Rank what was forgotten; return how many demands were. More than none is a defect."""
    matcher = transactions.matcher
    if not matcher.loaded or matcher.has_pending:
        return 0  # what waits for its turn is not forgotten
    async with transactions.read() as connection:
        before = transactions.clock() - timedelta(seconds=LATE_SECONDS)
        if not await read_unmatched(connection, before, 1):
            return 0
    async with transactions.begin() as work:
        late = await read_unmatched(
            work.connection, work.now - timedelta(seconds=LATE_SECONDS), BATCH
        )
        await rank_lists(work, matcher, late)
    return len(late)
