"""Keep a snapshot of the index, so that a start is short."""

import asyncio

from shared.telemetry import get_logger
from svc_matching.domain.items import ItemKind
from svc_matching.engine import snapshots
from svc_matching.engine.columns import INDEXED_STATUSES
from svc_matching.storage import epochs, items
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.transactions import MatchingTransactions

log = get_logger("snapshots")

_FEW, _SHARE = 1000, 50


def is_due(matcher: Matcher) -> bool:
    """Whether the epoch is new, or a fiftieth of the supplies has changed and the input pauses."""
    epoch, supplies = matcher.engine.statistics.epoch, matcher.engine.supplies
    if matcher.snapshot_folder is None or not matcher.loaded or epoch == 0:
        return False
    saved_epoch, saved_changes = matcher.saved
    if epoch != saved_epoch:
        return True
    changed = supplies.changes - saved_changes
    paused = matcher.supplies_changed_at is None
    return paused and changed > max(_FEW, supplies.count_live() // _SHARE)


async def save_when_due(transactions: MatchingTransactions) -> bool:
    """Write a snapshot beside the running service; one that cannot be written is only missed."""
    matcher = transactions.matcher
    folder = matcher.snapshot_folder
    if folder is None or not is_due(matcher):
        return False
    async with transactions.look() as connection:
        newest = await epochs.read_newest(connection)
        ages = await items.read_ages_of(connection, ItemKind.SUPPLY, INDEXED_STATUSES)
        holding = await matcher.run(matcher.engine.hold)
        matcher.saved = matcher.engine.statistics.epoch, matcher.engine.supplies.changes
    if newest is None:
        return False
    known = {item_id: (age.db_epoch, age.version) for item_id, age in ages.items()}
    origin = matcher.origin(newest.number, newest.statistics)
    try:
        held = await asyncio.to_thread(holding.held, known)
        path = await asyncio.to_thread(snapshots.write, folder, origin, held)
    except OSError as error:
        log.warning("snapshot_failed", error=repr(error))
        return False
    log.info("snapshot_written", path=path.name, supplies=len(held.supplies))
    return True
