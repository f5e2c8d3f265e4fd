"""The supplies: their terms, impacts and facts, by slot."""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from shared.contracts.supplies import SupplyStatus
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.components import Column, Slots, Values
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.dense import Embedding, EmbeddingRows
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.sparse_rows import Scores, SparseRows, Terms
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.vectors import TermSets, TextVector, document


class SupplyIndex:
    """All supplies that are ranked or visible to the diagnosis."""

    def __init__(self) -> None:
        self.slots = SlotTable()
        self.columns = SupplyColumns()
        self._vectors: dict[int, tuple[TextVector, ...]] = {}
        self._rows = SparseRows()
        self.dense = EmbeddingRows()

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
        self.dense.drop(slot)
        if statistics is not None:
            self._rows.put(slot, *_document(vectors, statistics))

    def drop(self, supply_id: UUID) -> None:
        slot = self.slots.give_back(supply_id)
        self.columns.drop(slot)
        del self._vectors[slot]
        self._rows.drop(slot)
        self.dense.drop(slot)

    def embed(self, supply_id: UUID, embedding: Embedding) -> None:
        """Keep a supply's embedding until it is put again; one that is not here needs none."""
        slot = self.slots.get(supply_id)
        if slot is not None:
            self.dense.put(slot, embedding)

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
        size = self.slots.size
        plain = [each for demand in demands for each in demand.queries if each.sets is None]
        raw = iter(self._rows.dot([(each.ids, each.weights) for each in plain], size))
        spoken = self.columns.take("languages", np.arange(size))
        return self._best(demands, raw, lambda sets: self._rows.dot_sets(sets, size), spoken)

    def terms_with(self, demands: Sequence[DemandEntry], slots: Slots) -> Values:
        """Return the same as `terms` for a few slots only."""
        few = self._rows.some(slots.tolist())
        plain = [each for demand in demands for each in demand.queries if each.sets is None]
        raw = iter(few.dot([(each.ids, each.weights) for each in plain]))
        return self._best(demands, raw, few.dot_sets, self.columns.take("languages", slots))

    def _best(
        self,
        demands: Sequence[DemandEntry],
        plain: Iterator[Scores],
        by_sets: Callable[[TermSets], Scores],
        spoken: NDArray[np.uint64],
    ) -> Values:
        """Return for each demand (a row) the best share over its queries.

        `plain` gives the products of the queries without sets, in their order.
        """
        best = np.zeros((len(demands), len(spoken)))
        for row, demand in enumerate(demands):
            for query in demand.queries:
                raw = next(plain) if query.sets is None else by_sets(query.sets)
                share = np.minimum(raw / query.self_score, 1.0)
                if query.audience is not None:
                    share[(spoken & self.columns.languages.mask(query.audience)) == 0] = 0.0
                np.maximum(best[row], share, out=best[row])
        return best

    def sides(self, demand: DemandFacts, slots: Slots) -> list[Column]:
        """Return fields, industries and IPC of the given slots against the demand's.

        `dense` has the fourth side, which is looked at in two steps.
        """
        return [
            self.columns.fields.best(demand.fields, slots),
            self.columns.industries.best(demand.industries, slots),
            self.columns.ipc.best(demand.ipc, slots),
        ]

    def rows_of(self, slots: Sequence[int]) -> list[Terms]:
        """Return the terms and impacts of some slots."""
        return [self._rows.row(slot) for slot in slots]

    def indexed(self) -> NDArray[np.bool_]:
        return self.columns.indexed(self.slots.size)


def _document(vectors: tuple[TextVector, ...], statistics: Statistics) -> Terms:
    averages = tuple(statistics.average_length(view.language) for view in vectors)
    return document(vectors, averages)
