"""Bring an accepted vocabulary to use: a new index epoch beside the old one.

All analyses of an epoch are made with one vocabulary. So the next one's are made beside them, a
few at a time and without a lock; what a kill leaves of that is gone on with. When none is missing
one transaction puts them in their place, freezes the statistics and opens the epoch. Events read
with the old vocabulary until then, and the old lists stay until each demand is ranked anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from shared.telemetry import get_logger
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.engine.analysers import ANALYSER_VERSION
from svc_matching.engine.analyses import analysed_with
from svc_matching.engine.columns import INDEXED_STATUSES
from svc_matching.engine.engine import Engine
from svc_matching.engine.in_use import use_vocabulary
from svc_matching.engine.vocabulary import Vocabulary
from svc_matching.storage import epochs, item_next, items, vocabularies
from svc_matching.storage.item_next import Waiting
from svc_matching.storage.items import ItemRow
from svc_matching.usecases.index_rows import read_profile, replace_rows
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.vocabularies import read_vocabulary

log = get_logger("vocabulary")

BATCH = 32
_STATUSES: Mapping[ItemKind, Sequence[str]] = {
    ItemKind.DEMAND: (OPEN,),
    ItemKind.SUPPLY: tuple(INDEXED_STATUSES),
}


class VocabularyEpochs:
    """Works towards one revision at a time; what is accepted meanwhile is in the next.

    It begins when nothing has been accepted for `quiet_seconds`.
    """

    def __init__(self, transactions: MatchingTransactions, *, quiet_seconds: float) -> None:
        self._transactions = transactions
        self._quiet = timedelta(seconds=quiet_seconds)
        self._target: Vocabulary | None = None
        self._after: UUID | None = None

    async def step(self) -> bool:
        """Do one piece of work; True when there is more."""
        if not self._transactions.matcher.loaded:
            return False
        if self._target is None:
            self._target, self._after = await self._due(), None
        if self._target is None:
            return False
        if await self._prepare(self._target):
            return True
        self._after = None
        if not await self._open(self._target):
            return True
        self._target = None
        return False

    async def _due(self) -> Vocabulary | None:
        """Return the newest vocabulary if the epoch reads with an older one and it is quiet."""
        async with self._transactions.read() as connection:
            head = await vocabularies.read_head(connection)
            if head.created_at is None:
                return None
            if head.number == await epochs.read_newest_revision(connection):
                return None
            if self._transactions.clock() - head.created_at < self._quiet:
                return None
            return await read_vocabulary(connection, head.number)

    async def _prepare(self, target: Vocabulary) -> bool:
        """Analyse a few texts; False when the end is reached."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with self._transactions.read() as connection:
            waiting = await item_next.read_waiting(
                connection, _mark(target), _STATUSES, self._after, BATCH
            )
        if not waiting:
            return False
        made = await asyncio.to_thread(_analysed, target, waiting)
        async with self._transactions.aside() as work:
            await item_next.write(work.connection, _mark(target), made)
        self._after = waiting[-1].id
        await asyncio.sleep(loop.time() - started)  # events come first: half of the time is theirs
        return True

    async def _open(self, target: Vocabulary) -> bool:
        """Put the analyses in their place and open the epoch; False when too many came since."""
        transactions, matcher = self._transactions, self._transactions.matcher
        async with transactions.begin() as work:
            if await epochs.read_newest_revision(work.connection) == target.revision:
                return True
            late = await item_next.read_waiting(
                work.connection, _mark(target), _STATUSES, None, BATCH + 1
            )
            if len(late) > BATCH:
                return False
            if late:
                made = await asyncio.to_thread(_analysed, target, late)
                await item_next.write(work.connection, _mark(target), made)
            changed = await item_next.take_over(work.connection, _mark(target))
            rows = await items.read_rows(work.connection, changed)
            matcher.doubt(changed, epoch=True)
            await matcher.run(_read_anew, matcher.engine, target, rows, frozenset(changed))
            await matcher.embed_again(work.connection, changed)
            await matcher.open_epoch(work)
        matcher.has_pending = True
        log.info("vocabulary_in_use", version=target.version, texts=len(changed))
        return True


def _mark(target: Vocabulary) -> str:
    return f"{ANALYSER_VERSION}-{target.version}"


def _analysed(target: Vocabulary, waiting: Sequence[Waiting]) -> list[tuple[Waiting, bytes]]:
    profiles = [read_profile(each.kind, each.profile) for each in waiting]
    return list(zip(waiting, analysed_with(target, profiles), strict=True))


def _read_anew(
    engine: Engine, target: Vocabulary, rows: list[ItemRow], changed: frozenset[UUID]
) -> None:
    """Read with the new vocabulary from now on; the epoch that opens next weighs all anew."""
    use_vocabulary(target)
    replace_rows(engine, rows, changed, weigh=False)
