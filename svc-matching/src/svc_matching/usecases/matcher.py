"""The one engine of this process, and the transactions that keep it true to the tables.

The tables are the truth and the index a cache of them. Every transaction that may change the
index runs alone, says beforehand what it touches, and so leaves a list of doubts when it fails;
the next one reads those items again before it begins.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandProfile, DemandStatus
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.db import Database
from shared.kernel.clock import Clock, utc_now, vietnam_date
from shared.outbox import MessagingTables, Transactions, UnitOfWork
from shared.telemetry import get_logger
from svc_matching.domain.items import OPEN, ItemKind, is_offered
from svc_matching.domain.preview import AT_ONCE
from svc_matching.engine.analysers import ANALYSER_VERSION
from svc_matching.engine.columns import INDEXED_STATUSES
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.statistics import Frozen, Statistics, freeze
from svc_matching.engine.views import View, pack, unpack, views_of
from svc_matching.storage import embeddings, epochs, items
from svc_matching.usecases.embeddings import Embeddings

log = get_logger("matcher")

P = ParamSpec("P")
T = TypeVar("T")


class Matcher:
    """The engine, the thread it runs in, and what is in doubt."""

    def __init__(
        self,
        *,
        quiet_seconds: float = 1.0,
        embeddings: Embeddings | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.engine = Engine(year=vietnam_date(clock()).year)
        self.quiet_seconds = quiet_seconds
        self.embeddings = embeddings or Embeddings()
        self.lock = asyncio.Lock()
        self.previews = asyncio.Semaphore(AT_ONCE)
        self.loaded = False
        self.has_pending = True
        self.weights_changed = False
        self.supplies_changed_at: float | None = None
        self._clock = clock
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

    def settle(self) -> None:
        """The tables have caught up."""
        self._doubted.clear()
        self._epoch_doubted = False

    def note_supplies(self) -> None:
        """Remember that the supplies have just changed."""
        self.supplies_changed_at = asyncio.get_running_loop().time()

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
            self._read = await asyncio.to_thread(_read_frozen, newest)
        return self._read

    async def prepare(self, connection: AsyncConnection) -> None:
        """Make the index equal to the tables as the last commit left them."""
        if not self.loaded:
            self.engine = Engine(self.engine.given, year=self.engine.year)
            self.embeddings.waiting.clear()
            await self._load(connection)
            await self._adopt_newest(connection)
            self.settle()
            self.loaded = True
        elif self._doubted or self._epoch_doubted:
            log.warning("index_in_doubt", items=len(self._doubted), epoch=self._epoch_doubted)
            if self._epoch_doubted:
                await self._adopt_newest(connection)
                self.has_pending = True
            await self._read_again(connection)
            self.settle()

    async def _adopt_newest(self, connection: AsyncConnection) -> None:
        self.engine.year = vietnam_date(self._clock()).year
        newest = await epochs.read_newest(connection)
        await self.use_embedder(connection, newest.embedder if newest else None)
        await self.run(_adopt, self.engine, newest and (newest.number, newest.statistics))
        if newest is not None:
            self.weights_changed = newest.weights_version != self.engine.weights.version

    async def use_embedder(self, connection: AsyncConnection, embedder: str | None) -> None:
        """Let the embeddings of one embedder count; lists are to be ranked anew."""
        if embedder == self.engine.embedder:
            return
        await self.run(self.engine.use, embedder)
        if embedder is None:
            return
        try:
            async for chunk in embeddings.stream(connection, embedder):
                await self.run(self.engine.embed, chunk)
        except BaseException:
            self.engine.use(None)  # some of them are none of them
            raise

    async def _load(self, connection: AsyncConnection) -> None:
        for kind, statuses in (
            (ItemKind.SUPPLY, INDEXED_STATUSES),
            (ItemKind.DEMAND, (OPEN,)),
        ):
            async for rows in items.stream_rows(connection, kind, statuses):
                await self._refresh_analyses(connection, rows)
                await self.run(_load_rows, self.engine, rows, weigh=False)
                self._note_unembedded(rows)
        log.info(
            "index_loaded",
            supplies=len(self.engine.supplies.slots),
            demands=len(self.engine.demands.slots),
        )

    async def _refresh_analyses(
        self, connection: AsyncConnection, rows: list[items.ItemRow]
    ) -> None:
        """Analyse anew what an older analyser has read."""
        old = [place for place, row in enumerate(rows) if row.analyser != ANALYSER_VERSION]
        copies = await items.read_copies(connection, [rows[place].id for place in old])
        for place in old:
            row = rows[place]
            profile = read_profile(row.kind, copies[row.id].profile)
            analysis = pack(await self.run(views_of, profile))
            await items.store_analysis(connection, row.id, ANALYSER_VERSION, analysis)
            rows[place] = replace(row, analyser=ANALYSER_VERSION, analysis=analysis)

    async def _read_again(self, connection: AsyncConnection) -> None:
        rows = await items.read_rows(connection, self._doubted)
        await self._refresh_analyses(connection, rows)
        await self.run(_replace_rows, self.engine, rows, frozenset(self._doubted))
        if self.engine.embedder is not None:
            made = await embeddings.read_some(connection, self._doubted, self.engine.embedder)
            await self.run(self.engine.embed, made)
        self._note_unembedded(rows)

    def _note_unembedded(self, rows: list[items.ItemRow]) -> None:
        for row in rows:
            if self.engine.holds(row.id):
                self.embeddings.note(row.id, row.embedder)


class MatchingTransactions(Transactions):
    """Transactions one at a time, each beginning with an index that is true to the tables."""

    def __init__(
        self,
        database: Database,
        tables: MessagingTables,
        source: str,
        matcher: Matcher,
        *,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(database, tables, source, clock=clock)
        self.matcher = matcher

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Open a transaction when the one before has ended; see `Transactions.begin`."""
        async with self.matcher.lock, super().begin() as work:
            await self.matcher.prepare(work.connection)
            work.after_commit(self.matcher.settle)
            yield work

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """Open a moment between two transactions, in which index and tables say the same.

        Nobody may change either in it. The index must be loaded: that takes a transaction.
        """
        async with self.matcher.lock, self.read() as connection:
            await self.matcher.prepare(connection)
            yield connection


def read_profile(kind: ItemKind, profile: str) -> DemandProfile | SupplyProfile:
    """Read a stored profile."""
    if kind is ItemKind.DEMAND:
        return DemandProfile.model_validate_json(profile)
    return SupplyProfile.model_validate_json(profile)


def put_demand(
    engine: Engine, demand_id: UUID, profile: DemandProfile, views: tuple[View, ...]
) -> None:
    engine.put_demand(demand_id, demand_facts(profile, views), views)


def put_supply(
    engine: Engine,
    supply_id: UUID,
    profile: SupplyProfile,
    status: SupplyStatus,
    views: tuple[View, ...],
    *,
    weigh: bool = True,
) -> None:
    """Add or replace a supply, or remove it when it is neither ranked nor a near miss."""
    if status in INDEXED_STATUSES and is_offered(profile.visibility):
        engine.put_supply(supply_id, supply_facts(profile, status, views), views, weigh=weigh)
    else:
        engine.drop_supply(supply_id)


def _adopt(engine: Engine, newest: tuple[int, bytes] | None) -> None:
    """Weigh by the newest frozen statistics, or by none before the first epoch."""
    if newest is None:
        engine.adopt(freeze(0, (), engine.lexicon))
    else:
        engine.adopt(Statistics.load(*newest, engine.lexicon))


def _read_frozen(newest: Row[Any] | None) -> Frozen:
    lexicon = Lexicon()
    if newest is None:
        return Frozen.of(freeze(0, (), lexicon), lexicon)
    return Frozen.of(Statistics.load(newest.number, newest.statistics, lexicon), lexicon)


def _load_rows(engine: Engine, rows: list[items.ItemRow], *, weigh: bool) -> None:
    for row in rows:
        profile, views = read_profile(row.kind, row.profile), unpack(row.analysis)
        if isinstance(profile, SupplyProfile):
            put_supply(engine, row.id, profile, SupplyStatus(row.status), views, weigh=weigh)
        elif row.status == DemandStatus.PUBLISHED:
            put_demand(engine, row.id, profile, views)
            engine.set_bar(row.id, row.bar)


def _replace_rows(engine: Engine, rows: list[items.ItemRow], doubted: frozenset[UUID]) -> None:
    for item_id in doubted:
        engine.drop_demand(item_id)
        engine.drop_supply(item_id)
    _load_rows(engine, rows, weigh=True)
