"""The supplies: their terms, impacts and facts, by slot."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from shared.contracts.supplies import SupplyStatus
from svc_matching.engine import kernels
from svc_matching.engine.codes import sides_of
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.components import Column, Slots, Values
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.sparse_rows import Row, SparseRows
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.vectors import TextVector, document
from svc_matching.engine.weights import Weights


class SupplyIndex:
    """All supplies that are ranked or visible to the diagnosis."""

    def __init__(self) -> None:
        self.slots = SlotTable()
        self.columns = SupplyColumns()
        self._vectors: dict[int, tuple[TextVector, ...]] = {}
        self._rows = SparseRows()
        self._spread = np.empty(0, np.int32)

    def put(
        self,
        supply_id: UUID,
        facts: SupplyFacts,
        vectors: tuple[TextVector, ...],
        statistics: Statistics | None,
    ) -> None:
        """Add or replace a supply; without statistics it counts from the next `reweigh` on."""
        slot = self.slots.take(supply_id)
        self.columns.put(slot, facts)
        self._vectors[slot] = vectors
        if statistics is not None:
            self._rows.put(slot, _document(vectors, statistics))

    def drop(self, supply_id: UUID) -> None:
        slot = self.slots.give_back(supply_id)
        self.columns.drop(slot)
        del self._vectors[slot]
        self._rows.drop(slot)

    def reweigh(self, statistics: Statistics) -> None:
        """Give every supply the impacts of a new epoch."""
        self._rows = SparseRows.of(
            {slot: _document(vectors, statistics) for slot, vectors in self._vectors.items()}
        )

    def live(self) -> Iterator[tuple[TextVector, ...]]:
        """Yield the texts of the supplies that are ranked."""
        for slot, vectors in self._vectors.items():
            if self.columns.facts[slot].status is SupplyStatus.PUBLISHED:
                yield vectors

    def count_live(self) -> int:
        return self.columns.live

    def terms(self, demands: Sequence[DemandEntry]) -> Values:
        """Return the term relevance of every slot for each demand (a row)."""
        rows, size = self._rows, self.slots.size
        spoken = self.columns.take("languages", np.arange(size))
        totals, best = np.empty(size + 1, np.int32), np.empty(rows.size, np.int64)
        shares = np.zeros((len(demands), size))
        for row, demand in enumerate(demands):
            best[:] = 0
            kernels.ask_all(demand.asked, rows.postings, spoken, totals, best, shares[row])
        return shares

    def terms_with(self, demand: DemandEntry, slots: Slots) -> Values:
        """Return the same for a few slots only, all of which hold a supply."""
        rows, shares = self._rows, np.zeros(len(slots))
        asked = demand.asked
        _, _, terms, *_ = asked
        width = max(rows.width, int(terms.max(initial=-1)) + 1)
        if width > len(self._spread):
            self._spread = np.zeros(2 * width, np.int32)
        spoken = self.columns.take("languages", slots)
        kernels.ask_some(
            asked, rows.rows, rows.cells_of(slots.tolist()), spoken, self._spread, shares
        )
        return shares

    def relevance(self, demand: DemandFacts, terms: Values, weights: Weights) -> Values:
        """Return the relevance of every slot; `terms` are their term relevance."""
        columns, about = self.columns, np.empty(len(terms))
        codes = columns.fields, columns.industries, columns.ipc
        asked = demand.fields, demand.industries, demand.ipc
        kernels.blend(terms, sides_of(codes, asked, len(terms)), weights.blend, about)
        return about

    def sides(self, demand: DemandFacts, slots: Slots) -> list[Column]:
        """Return fields, industries and IPC of the given slots against the demand's."""
        return [
            self.columns.fields.best(demand.fields, slots),
            self.columns.industries.best(demand.industries, slots),
            self.columns.ipc.best(demand.ipc, slots),
        ]

    def rows_of(self, slots: Sequence[int]) -> list[Row]:
        """Return the terms and impacts of some slots."""
        return [self._rows.row(slot) for slot in slots]

    def indexed(self) -> NDArray[np.bool_]:
        return self.columns.indexed(self.slots.size)


def _document(vectors: tuple[TextVector, ...], statistics: Statistics) -> Row:
    averages = tuple(statistics.average_length(view.language) for view in vectors)
    return Row.single(*document(vectors, averages))
