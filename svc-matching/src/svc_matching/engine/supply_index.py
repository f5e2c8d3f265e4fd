"""The supplies: their terms, impacts and facts, by slot."""

from collections.abc import Iterator
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from shared.contracts.supplies import SupplyStatus
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.components import Column, Slots, Values
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.sparse_rows import SparseRows
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.vectors import IntArray, TextVector, document, overlap

_FEW = 8


class SupplyIndex:
    """All supplies that are ranked or visible to the diagnosis."""

    def __init__(self) -> None:
        self.slots = SlotTable()
        self.columns = SupplyColumns()
        self._vectors: dict[int, tuple[TextVector, ...]] = {}
        self._rows = SparseRows()

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
            self._rows.put(slot, *_document(vectors, statistics))

    def drop(self, supply_id: UUID) -> None:
        slot = self.slots.give_back(supply_id)
        self.columns.drop(slot)
        del self._vectors[slot]
        self._rows.drop(slot)

    def row(self, slot: int) -> tuple[IntArray, IntArray]:
        return self._rows.row(slot)

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
        return sum(facts.status is SupplyStatus.PUBLISHED for facts in self.columns.facts.values())

    def terms(self, demand: DemandEntry) -> Values:
        """Return the term relevance of every slot: its best over the demand's languages."""
        best = np.zeros(self.slots.size)
        for query in demand.queries:
            raw = self._rows.dot(query.ids, query.weights, self.slots.size)
            best = np.maximum(best, np.minimum(raw / query.self_score, 1.0))
        return best

    def terms_of(self, demand: DemandEntry, slots: Slots) -> Values:
        """Return the same as `terms` for a few slots only."""
        if len(slots) > _FEW:
            return self.terms(demand)[slots]
        best = np.zeros(len(slots))
        for place, slot in enumerate(slots.tolist()):
            for query in demand.queries:
                share = overlap(query.ids, query.weights, *self._rows.row(slot))[1].sum()
                best[place] = max(best[place], min(share / query.self_score, 1.0))
        return best

    def sides(self, demand: DemandFacts, slots: Slots) -> list[Column]:
        """Return fields, industries and IPC of the given slots against the demand's."""
        return [
            self.columns.fields.best(demand.fields, slots),
            self.columns.industries.best(demand.industries, slots),
            self.columns.ipc.best(demand.ipc, slots),
        ]

    def indexed(self) -> NDArray[np.bool_]:
        return self.columns.indexed(self.slots.size)


def _document(vectors: tuple[TextVector, ...], statistics: Statistics) -> tuple[IntArray, IntArray]:
    averages = tuple(statistics.average_length(view.language) for view in vectors)
    return document(vectors, averages)
