"""Freeze statistics when they have grown old, and rank what waits for the new ones."""

import asyncio
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller, Role
from shared.db.database import is_passing
from shared.kernel.errors import ForbiddenError
from shared.telemetry import get_logger
from svc_matching.domain.epochs import is_time_to_freeze
from svc_matching.storage import diagnoses, epochs, items
from svc_matching.usecases.lists import rank_lists
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.prices import keep_prices
from svc_matching.usecases.snapshots import save_when_due
from svc_matching.usecases.transactions import MatchingTransactions

log = get_logger("epochs")

BATCH = 64
LOOK_SECONDS = 0.25


async def keep_epochs(transactions: MatchingTransactions, stop: asyncio.Event) -> None:
    """Freeze, rank and price until `stop`; batches are short: events get their turn between."""
    while not stop.is_set():
        try:
            await freeze_when_due(transactions)
            while _may_rank(transactions.matcher) and not stop.is_set():
                await rank_pending(transactions)
            await keep_prices(transactions)
            await save_when_due(transactions)
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("epochs_wait", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_SECONDS)


def _may_rank(matcher: Matcher) -> bool:
    return matcher.has_pending and not matcher.is_flooded


async def freeze_when_due(transactions: MatchingTransactions) -> bool:
    """Open a new epoch if the supplies have drifted far enough from the frozen ones."""
    matcher = transactions.matcher
    if not matcher.loaded or not await _is_due(matcher):
        return False
    async with transactions.begin() as work:
        await matcher.open_epoch(work)
    matcher.has_pending = True
    return True


async def _is_due(matcher: Matcher) -> bool:
    used = matcher.engine.embedder
    if matcher.rules_changed or matcher.embeddings.due(used) != used:
        return True
    if matcher.supplies_changed_at is None:
        return False
    waited = asyncio.get_running_loop().time() - matcher.supplies_changed_at
    is_quiet = waited >= matcher.quiet_seconds
    live = await matcher.run(matcher.engine.supplies.count_live)
    due = is_time_to_freeze(live, matcher.engine.statistics.documents, is_quiet=is_quiet)
    if is_quiet and not due:
        matcher.supplies_changed_at = None
    return due


async def rank_pending(transactions: MatchingTransactions) -> int:
    """Rank a batch of the demands whose list is of an older epoch or version; return how many."""
    matcher = transactions.matcher
    async with transactions.begin() as work:
        matcher.has_pending = True
        epoch = matcher.engine.statistics.epoch
        waiting = await diagnoses.read_pending(work.connection, epoch, BATCH)
        await rank_lists(work, matcher, waiting)
    matcher.has_pending = len(waiting) == BATCH
    return len(waiting)


async def read_matching_state(connection: AsyncConnection, caller: Caller) -> dict[str, Any]:
    """Return what operations staff want to know of the index."""
    if caller.role not in (Role.OPS, Role.OPERATOR):
        raise ForbiddenError(
            "role_missing",
            "This is for operations staff.",
            "Chỉ dành cho nhân viên vận hành.",
        )
    open_demands, live_supplies = await items.count_open(connection)
    epoch = await epochs.read_newest_number(connection)
    pending = await diagnoses.count_pending(connection, epoch)
    return {
        "open_demands": open_demands,
        "live_supplies": live_supplies,
        "index_epoch": epoch,
        "pending": pending,
    }
