"""The open demands, ready to be met by a new supply.

Each demand has an entry bar: what a supply's relevance must reach to change anything for it. A
score is never above its relevance, so a supply below the bar needs no second look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from svc_matching.engine.codes import CodeColumn, field_nearness, industry_nearness, ipc_nearness
from svc_matching.engine.components import Column, Slots, Values
from svc_matching.engine.dense import Embedding, EmbeddingRows
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.queries import EXTRA_QUERIES, queries_of
from svc_matching.engine.scoring import Millionths, millionths, relevance
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.sparse_rows import SparseRows, Terms
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.vectors import QueryVector, TextVector
from svc_matching.engine.weights import Weights

MAX_TEXTS = 6
MAX_VIEWS = MAX_TEXTS + EXTRA_QUERIES
MAX_CELLS = 1 << 21
"""Products of supplies and demands that are made at once, for the sake of memory."""


@dataclass(frozen=True, slots=True)
class DemandEntry:
    """An open demand: its facts and one query for each language its text is in."""

    facts: DemandFacts
    vectors: tuple[TextVector, ...]
    queries: tuple[QueryVector, ...]
    embedding: Embedding | None = None


class DemandIndex:
    """Open demands by slot; the queries of slot `s` are the rows from `s · MAX_VIEWS` on."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.slots = SlotTable()
        self._lexicon = lexicon
        self._entries: dict[int, DemandEntry] = {}
        self._rows = SparseRows()
        self._self_scores = np.ones(64 * MAX_VIEWS)
        self._bars = np.zeros(64, np.int32)
        self._fields = CodeColumn(field_nearness)
        self._industries = CodeColumn(industry_nearness)
        self._ipc = CodeColumn(ipc_nearness)
        self._dense = EmbeddingRows()

    def put(
        self,
        demand_id: UUID,
        facts: DemandFacts,
        vectors: tuple[TextVector, ...],
        frozen: Frozen,
    ) -> DemandEntry:
        if demand_id in self.slots:
            self.drop(demand_id)
        slot = self.slots.take(demand_id)
        if slot >= len(self._bars):
            self._bars = np.resize(self._bars, 2 * slot)
            self._self_scores = np.resize(self._self_scores, 2 * slot * MAX_VIEWS)
        self._bars[slot] = 0
        self._fields.put(slot, facts.fields)
        self._industries.put(slot, facts.industries)
        self._ipc.put(slot, facts.ipc)
        return self._place(slot, self.entry(facts, vectors, frozen))

    def entry(
        self,
        facts: DemandFacts,
        vectors: tuple[TextVector, ...],
        frozen: Frozen,
        embedding: Embedding | None = None,
    ) -> DemandEntry:
        """Return a demand ready to be ranked, without a place in the index."""
        vectors = vectors[:MAX_TEXTS]
        return DemandEntry(facts, vectors, queries_of(vectors, self._lexicon, frozen), embedding)

    def embed(self, demand_id: UUID, embedding: Embedding) -> None:
        """Keep a demand's embedding until it is put again; one that is not here needs none."""
        slot = self.slots.get(demand_id)
        if slot is not None:
            self._entries[slot] = replace(self._entries[slot], embedding=embedding)
            self._dense.put(slot, embedding)

    def forget_embeddings(self) -> None:
        self._dense.clear()
        for slot, entry in self._entries.items():
            self._entries[slot] = replace(entry, embedding=None)

    def _place(self, slot: int, entry: DemandEntry) -> DemandEntry:
        self._entries[slot] = entry
        for place, each in enumerate(entry.queries):
            self._rows.put(slot * MAX_VIEWS + place, each.ids, each.weights)
            self._self_scores[slot * MAX_VIEWS + place] = each.self_score
        return entry

    def drop(self, demand_id: UUID) -> None:
        slot = self.slots.give_back(demand_id)
        for place in range(len(self._entries.pop(slot).queries)):
            self._rows.drop(slot * MAX_VIEWS + place)
        self._dense.drop(slot)

    def reweigh(self, frozen: Frozen) -> None:
        """Give every demand the query weights of a new epoch."""
        self._rows = SparseRows()
        for slot, entry in self._entries.items():
            again = self.entry(entry.facts, entry.vectors, frozen, entry.embedding)
            self._place(slot, again)
        self._rows.compact()

    def get(self, demand_id: UUID) -> DemandEntry | None:
        slot = self.slots.get(demand_id)
        return None if slot is None else self._entries[slot]

    def set_bar(self, demand_id: UUID, bar: int) -> None:
        """Set the relevance, in millionths, from which a supply can change this demand's list."""
        slot = self.slots.get(demand_id)
        if slot is not None:
            self._bars[slot] = bar

    def met_by(
        self,
        rows: Sequence[Terms],
        supplies: Sequence[tuple[SupplyFacts, Embedding | None]],
        weights: Weights,
    ) -> list[list[UUID]]:
        """Return for each supply the demands whose bar it reaches, or could by its ceiling."""
        size = self.slots.size
        if not self._entries:
            return [[] for _ in rows]
        step = max(1, MAX_CELLS // (size * MAX_VIEWS))
        return [
            met
            for start in range(0, len(rows), step)
            for met in self._met_by(rows[start : start + step], supplies[start:], weights)
        ]

    def _met_by(
        self,
        rows: Sequence[Terms],
        supplies: Sequence[tuple[SupplyFacts, Embedding | None]],
        weights: Weights,
    ) -> Iterator[list[UUID]]:
        size = self.slots.size
        slots = np.arange(size)
        for terms, (supply, embedding) in zip(self._terms(rows, size), supplies, strict=False):
            sides = [*self._sides(supply, slots), self._dense.ceilings(embedding, slots)]
            about = relevance(terms, sides, weights)
            # One millionth of slack: the bar was rounded.
            reached: Millionths = millionths(about) + 1
            found = np.flatnonzero((reached >= self._bars[:size]) & (about >= weights.floor))
            yield [self.slots.id_of(slot) for slot in found.tolist() if slot in self._entries]

    def _terms(self, rows: Sequence[Terms], size: int) -> Values:
        raw = self._rows.dot(rows, size * MAX_VIEWS)
        share = np.minimum(raw / self._self_scores[: size * MAX_VIEWS], 1.0)
        return np.asarray(share.reshape(len(rows), size, MAX_VIEWS).max(axis=2))

    def _sides(self, supply: SupplyFacts, slots: Slots) -> list[Column]:
        return [
            self._fields.best(supply.fields, slots),
            self._industries.best(supply.industries, slots),
            self._ipc.best(supply.ipc, slots),
        ]
