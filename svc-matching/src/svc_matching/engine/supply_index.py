"""The supplies: their terms, impacts and facts, by slot."""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine import kernels
from svc_matching.engine.arrays import Slots, Values
from svc_matching.engine.codes import sides_of
from svc_matching.engine.columns import SupplyColumns
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.dense import Embedding, EmbeddingRows
from svc_matching.engine.facts import SupplyFacts
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.snapshots import Held, Holding
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
        self.dense = EmbeddingRows()
        self.changes = 0

    def put(
        self,
        supply_id: UUID,
        facts: SupplyFacts,
        vectors: tuple[TextVector, ...],
        statistics: Statistics | None,
    ) -> None:
        """Add or replace a supply; without statistics it counts from the next `reweigh` on."""
        self.changes += 1
        slot = self.slots.take(supply_id)
        self.columns.put(slot, facts)
        self._vectors[slot] = vectors
        self.dense.drop(slot)
        if statistics is not None:
            self._rows.put(slot, _document(vectors, statistics))

    def drop(self, supply_id: UUID) -> None:
        self.changes += 1
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

    def hold(self, terms: list[str]) -> Holding:
        """Return what a snapshot is made of, as of now."""
        base, owners = self._rows.compacted()
        supplies = [
            (self.slots.id_of(slot), self.columns.facts[slot], self._vectors[slot])
            for slot in owners.tolist()
        ]
        return Holding(terms, supplies, base)

    def restore(self, held: Held) -> None:
        """Take the supplies of a snapshot; there must be none yet."""
        for supply, vectors in zip(held.supplies, held.vectors(), strict=True):
            slot = self.slots.take(supply.id)
            self.columns.put(slot, supply.facts)
            self._vectors[slot] = vectors
        self._rows = SparseRows.on(held.base, np.arange(len(held.supplies), dtype=np.int32))

    def live(self) -> Iterator[tuple[TextVector, ...]]:
        """Yield the texts of the supplies that are ranked."""
        for slot, vectors in self._vectors.items():
            if self.columns.is_live(slot):
                yield vectors

    def count_live(self) -> int:
        return self.columns.live

    def terms(self, demands: Sequence[DemandEntry]) -> Values:
        """Return the term relevance of every slot for each demand (a row)."""
        rows, size = self._rows, self.slots.size
        spoken = self.columns.asked_in(size)
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
        spoken = self.columns.asked_in(self.slots.size)[slots]
        kernels.ask_some(
            asked, rows.rows, rows.cells_of(slots.tolist()), spoken, self._spread, shares
        )
        return shares

    def sides(self, demand: DemandEntry) -> kernels.Sides:
        """Return how near fields, industries and IPC of all slots are to the demand's."""
        columns, facts = self.columns, demand.facts
        codes = columns.fields, columns.industries, columns.ipc
        return sides_of(codes, (facts.fields, facts.industries, facts.ipc), self.slots.size)

    def relevance(
        self, demand: DemandEntry, terms: Values, sides: kernels.Sides, weights: Weights
    ) -> Values:
        """Return the most that the relevance of every slot can be; `terms` are their shares.

        Without an embedding it is the relevance itself.
        """
        about = np.empty(len(terms))
        kernels.blend(terms, sides, weights.blend, about)
        return self.dense.lift(about, terms, demand.embedding, weights.dense)

    def rows_of(self, slots: Sequence[int]) -> list[Row]:
        """Return the terms and impacts of some slots."""
        return [self._rows.row(slot) for slot in slots]

    def indexed(self) -> NDArray[np.bool_]:
        return self.columns.indexed(self.slots.size)


def _document(vectors: tuple[TextVector, ...], statistics: Statistics) -> Row:
    averages = tuple(statistics.average_length(view.language) for view in vectors)
    return Row.single(*document(vectors, averages))
