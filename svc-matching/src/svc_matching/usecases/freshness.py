"""Whether the lists keep up with the demands."""

from shared.kernel.health import Check
from svc_matching.storage.freshness import read_oldest_unmatched
from svc_matching.usecases.transactions import MatchingTransactions

LATE_SECONDS = 60.0


async def seconds_behind(transactions: MatchingTransactions) -> float:
    """Return how long the oldest unmatched change has waited; 0 when none does."""
    async with transactions.read() as connection:
        oldest = await read_oldest_unmatched(connection)
    return max(0.0, (transactions.clock() - oldest).total_seconds()) if oldest else 0.0


async def check_freshness(transactions: MatchingTransactions) -> Check:
    seconds = round(await seconds_behind(transactions), 1)
    if seconds <= LATE_SECONDS:
        return Check("pass", observed=seconds, unit="s")
    return Check("warn", "matches_late", seconds, "s")


async def check_index(transactions: MatchingTransactions) -> Check:
    """Without its index the service has nothing to answer with."""
    if transactions.matcher.loaded:
        return Check("pass")
    return Check("fail", "index_loading")
