"""The one engine of this process: the tables are the truth, and its index a cache of them."""

import asyncio
import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kernel.clock import Clock, utc_now, vietnam_date
from shared.kernel.faults import crash_point
from shared.outbox import UnitOfWork
from shared.telemetry import get_logger
from svc_matching.domain.floods import Flood
from svc_matching.domain.items import OPEN, Age, ItemKind
from svc_matching.domain.preview import AT_ONCE
from svc_matching.engine import snapshots
from svc_matching.engine.analyses import analyser
from svc_matching.engine.candidates import LocalIndex, SourceOf
from svc_matching.engine.columns import INDEXED_STATUSES
from svc_matching.engine.engine import Engine
from svc_matching.engine.in_use import use_vocabulary, vocabulary
from svc_matching.engine.pairs import NEVER
from svc_matching.engine.snapshots import Held, Origin
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.views import pack, views_of
from svc_matching.engine.weights import Weights
from svc_matching.storage import embeddings, epochs, items
from svc_matching.usecases.embeddings import Embeddings
from svc_matching.usecases.index_rows import (
    adopt,
    load_rows,
    read_frozen,
    read_profile,
    replace_rows,
)
from svc_matching.usecases.vocabularies import read_vocabulary

log = get_logger("matcher")

_BATCH = 1000

P = ParamSpec("P")
T = TypeVar("T")


class Matcher:
    """The engine, the thread it runs in, and what is in doubt.

    `usual_capacity` is what capacity prices take a supply for that does not say how many transfers
    at a time it can take on; None: there are no prices.
    """

    def __init__(
        self,
        weights: Weights | None = None,
        *,
        quiet_seconds: float = 1.0,
        usual_capacity: int | None = None,
        clock: Clock = utc_now,
        snapshot_folder: Path | None = None,
        candidates: SourceOf = LocalIndex,
        embeddings: Embeddings | None = None,
    ) -> None:
        self.engine = Engine(weights, year=vietnam_date(clock()).year, candidates=candidates)
        self.quiet_seconds = quiet_seconds
        self.usual_capacity = usual_capacity
        self.snapshot_folder = snapshot_folder
        self.embeddings = embeddings or Embeddings()
        self.saved = (0, 0)
        self.lock = asyncio.Lock()
        self.previews = asyncio.Semaphore(AT_ONCE)
        self.loaded = False
        self._demands_loaded = False
        self.has_pending = True
        self.rules_changed = False
        self.supplies_changed_at: float | None = None
        self.flood = Flood()
        self.priced_epoch: int | None = None
        self._clock = clock
        self._candidates = candidates
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="matching-engine")
        self._doubted: set[UUID] = set()
        self._epoch_doubted = False
        self._read: Frozen | None = None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do CPU work in the engine's thread, so that the event loop goes on."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(work, *args, **kwargs))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def doubt(self, ids: Iterable[UUID], *, epoch: bool = False) -> None:
        """Say that the index is about to run ahead of the tables."""
        self._doubted.update(ids)
        self._epoch_doubted = self._epoch_doubted or epoch

    def let_wait(self, demand_ids: Collection[UUID]) -> None:
        """Let no supply concern these demands before their lists are ranked anew."""
        self.doubt(demand_ids)
        for demand_id in demand_ids:
            self.engine.set_bar(demand_id, NEVER)

    def settle(self) -> None:
        """The tables have caught up."""
        self._doubted.clear()
        self._epoch_doubted = False

    async def open_epoch(self, work: UnitOfWork) -> None:
        """Freeze the statistics of the supplies as they are, and weigh by them from now on."""
        await self.need_demands(work.connection)
        engine, embedder = self.engine, self.embeddings.due(self.engine.embedder)
        number = await epochs.read_newest_number(work.connection) + 1
        statistics = await self.run(engine.freeze, number)
        row = {
            "number": number,
            "supplies": statistics.documents,
            "weights_version": engine.weights.version,
            "vocabulary_version": engine.vocabulary_version,
            "vocabulary_revision": vocabulary().revision,
            "statistics": await self.run(statistics.dump, engine.lexicon),
            "created_at": work.now,
            "embedder": embedder,
        }
        await epochs.write(work.connection, row)
        crash_point("epoch_freeze")
        self.doubt((), epoch=True)
        self.let_wait(engine.demands.slots.ids())
        engine.year = vietnam_date(work.now).year
        await self._use_embedder(work.connection, embedder)
        await self.run(engine.adopt, statistics)
        work.after_commit(self.note_epoch)
        log.info("epoch_frozen", epoch=number, supplies=statistics.documents, embedder=embedder)

    def note_epoch(self) -> None:
        """An epoch has opened: nothing that it freezes has changed since."""
        self.rules_changed = False
        self.supplies_changed_at = None
        _keep_from_collector()

    def note_supplies(self, count: int) -> None:
        """Remember that so many supplies have just changed together."""
        self.supplies_changed_at = asyncio.get_running_loop().time()
        self.flood.note(count, self.supplies_changed_at)

    @property
    def is_flooded(self) -> bool:
        """Whether lists wait until an import has run in."""
        return self.flood.is_on(asyncio.get_running_loop().time())

    async def weighing(self, connection: AsyncConnection, epoch: int) -> Frozen:
        """Return what lists of an epoch were weighed by, or the newest when that is gone.

        A process that keeps no index reads it from the tables.
        """
        if self.loaded:
            now, before = self.engine.frozen, self.engine.before
            return before if before is not None and before.statistics.epoch == epoch else now
        number = await epochs.read_newest_number(connection)
        if self._read is None or self._read.statistics.epoch != number:
            newest = await epochs.read_newest(connection)
            await self._read_with(connection, newest.vocabulary_revision if newest else 0)
            self._read = await asyncio.to_thread(read_frozen, newest)
        return self._read

    async def read_as_indexed(self, connection: AsyncConnection) -> None:
        """Read texts with the vocabulary of the newest epoch, also where no index is kept."""
        if not self.loaded:
            await self._read_with(connection, await epochs.read_newest_revision(connection))

    async def prepare(self, connection: AsyncConnection) -> None:
        """Make the index equal to the tables as the last commit left them."""
        if not self.loaded:
            self.engine = Engine(
                self.engine.given, year=self.engine.year, candidates=self._candidates
            )
            revision = await epochs.read_newest_revision(connection)
            await self._read_with(connection, revision, again=True)
            await self._load_supplies(connection)
            self._demands_loaded = False
            await self._use_newest_embedder(connection)
            self.embeddings.waiting.clear()
            await self._note_unseen(connection)
            log.info("index_loaded", supplies=len(self.engine.supplies.slots))
            self.settle()
            _keep_from_collector()
            self.loaded = True
            self.priced_epoch = None
        elif self._doubted or self._epoch_doubted:
            log.warning("index_in_doubt", items=len(self._doubted), epoch=self._epoch_doubted)
            if self._epoch_doubted:
                await self._adopt_newest(connection)
                await self._use_newest_embedder(connection)
                self.has_pending = True
            await self._read_again(connection, self._doubted)
            self.settle()

    async def need_demands(self, connection: AsyncConnection) -> None:
        """Put the open demands into the index, if that was not done since the start.

        To rank a new demand or a preview takes the supplies alone, and a start half as long.
        """
        if not self._demands_loaded:
            await self._load(connection, ItemKind.DEMAND, (OPEN,))
            self._demands_loaded = True
            _keep_from_collector()
            log.info("demands_loaded", demands=len(self.engine.demands.slots))

    async def _adopt_newest(self, connection: AsyncConnection) -> None:
        newest = await epochs.read_newest(connection)
        await self._read_with(connection, newest.vocabulary_revision if newest else 0)
        self._know_epoch(newest)
        await self.run(adopt, self.engine, newest and (newest.number, newest.statistics))

    def _know_epoch(self, newest: Row[Any] | None) -> None:
        self.engine.year = vietnam_date(self._clock()).year
        if newest is not None:
            rules = self.engine.weights.version, self.engine.vocabulary_version
            self.rules_changed = (newest.weights_version, newest.vocabulary_version) != rules

    async def _read_with(
        self, connection: AsyncConnection, revision: int, *, again: bool = False
    ) -> None:
        """Read texts with a revision of the vocabulary."""
        if again or vocabulary().revision != revision:
            use = partial(use_vocabulary, await read_vocabulary(connection, revision))
            await self.run(use)

    async def _load_supplies(self, connection: AsyncConnection) -> None:
        """Take them from the newest snapshot, and from the table what has changed since."""
        newest = await epochs.read_newest(connection)
        held = await self._read_snapshot(newest)
        if newest is None or held is None:
            await self._load(connection, ItemKind.SUPPLY, INDEXED_STATUSES)
            await self._adopt_newest(connection)
            return
        self._know_epoch(newest)
        await self.run(self.engine.restore, held, newest.number, newest.statistics)
        self.saved = newest.number, self.engine.supplies.changes
        ages = await items.read_ages_of(connection, ItemKind.SUPPLY, INDEXED_STATUSES)
        known = {each.id: Age(each.db_epoch, each.version) for each in held.supplies}
        changed = [each for each in known.keys() | ages if known.get(each) != ages.get(each)]
        for some in _batched(changed):
            await self._read_again(connection, some)
        log.info("snapshot_restored", supplies=len(known), changed=len(changed))

    async def _read_snapshot(self, newest: Row[Any] | None) -> Held | None:
        if self.snapshot_folder is None or newest is None:
            return None
        origin = self.origin(newest.number, newest.statistics)
        held, refused = await asyncio.to_thread(snapshots.read, self.snapshot_folder, origin)
        for why in refused:
            log.warning("snapshot_refused", why=why)
        return held

    def origin(self, epoch: int, statistics: bytes) -> Origin:
        """Return what a snapshot must have been made of to be of use here."""
        return Origin.of(analyser(), self.engine.vocabulary_version, epoch, statistics)

    async def _load(
        self, connection: AsyncConnection, kind: ItemKind, statuses: Iterable[str]
    ) -> None:
        async for rows in items.stream_rows(connection, kind, statuses):
            await self._refresh_analyses(connection, rows)
            await self.run(load_rows, self.engine, rows, weigh=False)

    async def _use_newest_embedder(self, connection: AsyncConnection) -> None:
        await self._use_embedder(connection, await epochs.read_newest_embedder(connection))

    async def _use_embedder(self, connection: AsyncConnection, embedder: str | None) -> None:
        """Let the embeddings of one embedder count; lists are to be ranked anew."""
        if embedder == self.engine.embedder:
            return
        await self.need_demands(connection)
        await self.run(self.engine.use, embedder)
        if embedder is None:
            return
        try:
            async for chunk in embeddings.stream(connection, embedder):
                await self.run(self.engine.embed, chunk)
        except BaseException:
            self.engine.use(None)  # some of them are none of them
            raise

    async def embed_again(self, connection: AsyncConnection, ids: Collection[UUID]) -> None:
        """Give items that were just put into the index the embeddings that count."""
        if self.engine.embedder is not None:
            made = await embeddings.read_some(connection, ids, self.engine.embedder)
            await self.run(self.engine.embed, made)

    async def _note_unseen(
        self, connection: AsyncConnection, ids: Collection[UUID] | None = None
    ) -> None:
        """Let wait what our embedder has not seen, of some items or of all in the index."""
        if self.embeddings.identity is None:
            return
        await self.need_demands(connection)
        async for some in embeddings.stream_unseen(connection, self.embeddings.identity, ids):
            self.embeddings.note(filter(self.engine.holds, some))

    async def _refresh_analyses(
        self, connection: AsyncConnection, rows: list[items.ItemRow]
    ) -> None:
        """Analyse anew what an older analyser has read."""
        current = analyser()
        old = [place for place, row in enumerate(rows) if row.analyser != current]
        copies = await items.read_copies(connection, [rows[place].id for place in old])
        for place in old:
            row = rows[place]
            profile = read_profile(row.kind, copies[row.id].profile)
            analysis = pack(await self.run(views_of, profile))
            await items.store_analysis(connection, row.id, current, analysis)
            rows[place] = items.ItemRow(
                row.id, row.kind, row.status, row.profile, current, analysis, row.bar
            )

    async def _read_again(self, connection: AsyncConnection, ids: Collection[UUID]) -> None:
        rows = await items.read_rows(connection, ids)
        await self._refresh_analyses(connection, rows)
        await self.run(replace_rows, self.engine, rows, frozenset(ids))
        await self.embed_again(connection, ids)
        await self._note_unseen(connection, ids)


def _keep_from_collector() -> None:
    """Let the index not be searched for cycles again: at 22,000 supplies all waits 0.3 s for it."""
    gc.collect(1)
    gc.freeze()


def _batched(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    """Yield ids a thousand at a time."""
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
