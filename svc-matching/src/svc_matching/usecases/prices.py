"""Price each epoch's supplies by its lists, once they are all ranked; off unless asked for."""

import asyncio
from array import array
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.telemetry import get_logger
from svc_matching.engine.prices import NOBODY, TOP, Lists, clear
from svc_matching.storage import prices
from svc_matching.usecases.transactions import MatchingTransactions

log = get_logger("prices")


async def keep_prices(transactions: MatchingTransactions) -> bool:
    """Price the newest epoch if it waits for it; without the setting, forget all prices.

    Lists are read and prices found beside other work: only the writing takes a turn.
    """
    matcher = transactions.matcher
    number = matcher.engine.statistics.epoch
    if not matcher.loaded or matcher.has_pending or matcher.priced_epoch == number:
        return False
    found: dict[UUID, int] = {}
    if matcher.usual_capacity is not None:
        async with transactions.database.begin() as connection:
            if not await prices.is_priced(connection, number):
                found = await _find(connection, number, matcher.usual_capacity)
    async with transactions.begin() as work:
        if matcher.engine.statistics.epoch != number:
            return False
        if matcher.usual_capacity is None:
            await prices.forget_prices(work.connection)
            written = False
        else:
            written = await prices.write_prices(work.connection, number, found, work.now)
    matcher.priced_epoch = number
    if written:
        log.info("epoch_priced", epoch=number, supplies=len(found))
    return written


async def _find(connection: AsyncConnection, number: int, usual: int) -> dict[UUID, int]:
    market = Market()
    async for portion in prices.stream_listed(connection, number):
        market.add(portion)
    capacities = await prices.read_capacities(connection)
    return await asyncio.to_thread(market.prices, capacities, usual)


class Market:
    """Lists as numbers: a hundred thousand of them fit into memory, as rows they would not."""

    def __init__(self) -> None:
        self._numbers: dict[UUID, int] = {}
        self._demand: UUID | None = None
        self._lists = -1
        self._rows, self._supplies, self._scores = array("q"), array("q"), array("q")

    def add(self, pairs: Iterable[tuple[UUID, UUID, int]]) -> None:
        """Take some (demand, supply, score), demand by demand."""
        for demand_id, supply_id, score in pairs:
            if demand_id != self._demand:
                self._demand, self._lists = demand_id, self._lists + 1
            self._rows.append(self._lists)
            self._supplies.append(self._numbers.setdefault(supply_id, len(self._numbers)))
            self._scores.append(score)

    def prices(self, capacities: Mapping[UUID, int], usual: int) -> dict[UUID, int]:
        """Return the prices of the supplies that are not free.

        A list leads to one transfer at most, and `TOP` supplies lead it: so a supply that can
        take on one transfer at a time may lead `TOP` lists. `usual` transfers at a time is what
        a supply that does not say is taken for.
        """
        if not self._numbers:
            return {}
        ids = sorted(self._numbers)
        places = TOP * np.array([capacities.get(supply_id, usual) for supply_id in ids])
        found = clear(self._in_order(ids), places).tolist()
        return {supply_id: price for supply_id, price in zip(ids, found, strict=True) if price}

    def _in_order(self, ids: Sequence[UUID]) -> Lists:
        """Return the lists side by side, with numbers in the order of the ids."""
        order = np.empty(len(ids), np.int64)
        order[[self._numbers[supply_id] for supply_id in ids]] = np.arange(len(ids))
        rows = np.array(self._rows)
        columns = np.arange(len(rows)) - np.searchsorted(rows, rows)
        shape = self._lists + 1, max(TOP, int(columns.max()) + 1)
        supplies, scores = np.full(shape, NOBODY), np.zeros(shape, np.int64)
        supplies[rows, columns] = order[np.array(self._supplies)]
        scores[rows, columns] = np.array(self._scores)
        return Lists(supplies, scores)
