"""The open demands, ready to be met by a new supply.

Each demand has an entry bar: what a supply must reach to change anything for it. A score is never
above its relevance, so a supply whose relevance is below the bar needs no second look.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from uuid import UUID

import numpy as np

from svc_matching.engine import kernels
from svc_matching.engine.arrays import Values
from svc_matching.engine.codes import (
    CodeColumn,
    field_nearness,
    industry_nearness,
    ipc_nearness,
    sides_of,
)
from svc_matching.engine.columns import language_mask
from svc_matching.engine.dense import Embedding, EmbeddingRows
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.growing import grown
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.look_types import Want
from svc_matching.engine.pairs import NEVER, Bar
from svc_matching.engine.queries import queries_of
from svc_matching.engine.questions import Questions
from svc_matching.engine.scoring import millionths
from svc_matching.engine.slots import Slots as SlotTable
from svc_matching.engine.sparse_rows import Row
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.vectors import IntArray, QueryVector, TextVector
from svc_matching.engine.wants import want_of
from svc_matching.engine.weights import MILLION, Weights

MAX_TEXTS = 6


@dataclass(frozen=True)
class DemandEntry:
    """An open demand: its facts and one query for each language its text is in."""

    facts: DemandFacts
    vectors: tuple[TextVector, ...]
    queries: tuple[QueryVector, ...]
    embedding: Embedding | None = None

    @cached_property
    def want(self) -> Want:
        """What the close look compares supplies with."""
        return want_of(self.facts)

    @cached_property
    def asked(self) -> kernels.Asked:
        """All queries as sets of terms; most demands of a start are not ranked before the next."""
        queries = self.queries
        lengths = [_lengths(each) for each in queries]
        by_query = _starts([len(each) for each in lengths])
        by_set = _starts(np.concatenate([np.empty(0, np.int32), *lengths]))
        terms = np.concatenate([np.empty(0, np.int32), *(each.ids for each in queries)])
        weights = np.concatenate([np.empty(0, np.int32), *(each.weights for each in queries)])
        scores = np.array([each.self_score for each in queries], np.float64)
        audiences = [language_mask(each.audience or frozenset()) for each in queries]
        return by_query, by_set, terms, weights, scores, np.array(audiences, np.uint64)


def _lengths(query: QueryVector) -> IntArray:
    """Return the sizes of a query's sets; a term that is asked by itself is a set of one."""
    return np.ones(len(query.ids), np.int32) if query.sets is None else query.sets.lengths


def _starts(lengths: Sequence[int] | IntArray) -> IntArray:
    starts = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=starts[1:])
    return starts


Audience = tuple[frozenset[str] | None, int]
"""The languages that a query is for, all when there are none; which of a demand's for them."""


def _by_audience(queries: Iterable[QueryVector]) -> Iterator[tuple[Audience, QueryVector]]:
    asked: Counter[frozenset[str] | None] = Counter()
    for query in queries:
        yield (query.audience, asked[query.audience]), query
        asked[query.audience] += 1


class DemandIndex:
    """Open demands by slot, their queries by whom they are for."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.slots = SlotTable()
        self._lexicon = lexicon
        self._entries: dict[int, DemandEntry] = {}
        self._questions: dict[Audience, Questions] = {}
        self._bars: dict[int, Bar] = {}
        self._lowest = np.zeros(64, np.int32)
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
        self._lowest = grown(self._lowest, slot + 1)
        self._bars[slot], self._lowest[slot] = Bar(), 0
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
        asked = queries_of(vectors, self._lexicon, frozen)
        return DemandEntry(facts, vectors, asked, embedding)

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
        for audience, query in _by_audience(entry.queries):
            self._questions.setdefault(audience, Questions()).put(slot, query)
        return entry

    def drop(self, demand_id: UUID) -> None:
        slot = self.slots.give_back(demand_id)
        for audience, _ in _by_audience(self._entries.pop(slot).queries):
            self._questions[audience].drop(slot)
            if not len(self._questions[audience]):
                del self._questions[audience]
        self._dense.drop(slot)
        del self._bars[slot]
        self._lowest[slot] = NEVER.lowest

    def reweigh(self, frozen: Frozen) -> None:
        """Give every demand the query weights of a new epoch."""
        self._questions = {}
        for slot, entry in self._entries.items():
            again = self.entry(entry.facts, entry.vectors, frozen, entry.embedding)
            self._place(slot, again)
        for questions in self._questions.values():
            questions.compact()

    def get(self, demand_id: UUID) -> DemandEntry | None:
        slot = self.slots.get(demand_id)
        return None if slot is None else self._entries[slot]

    def set_bar(self, demand_id: UUID, bar: Bar) -> None:
        """Set what a supply must reach to change this demand's list."""
        slot = self.slots.get(demand_id)
        if slot is not None:
            self._bars[slot], self._lowest[slot] = bar, bar.lowest

    def bar(self, demand_id: UUID) -> Bar:
        """Return what a supply must reach to change this demand's list."""
        slot = self.slots.get(demand_id)
        return Bar() if slot is None else self._bars[slot]

    def met_by(
        self,
        rows: Sequence[Row],
        supplies: Sequence[tuple[SupplyFacts, Embedding | None]],
        weights: Weights,
    ) -> list[list[UUID]]:
        """Return for each supply the demands whose lowest bar its relevance could reach."""
        if not np.any(self._lowest[: self.slots.size] <= MILLION):
            return [[] for _ in rows]
        return [self._met_by(*each, weights) for each in zip(rows, supplies, strict=True)]

    def _met_by(
        self, row: Row, supply: tuple[SupplyFacts, Embedding | None], weights: Weights
    ) -> list[UUID]:
        about = self._relevance(row, *supply, weights)
        # One millionth of slack: the bar was rounded.
        reached = millionths(about) + 1 >= self._lowest[: len(about)]
        found = np.flatnonzero(reached & (about >= weights.floor))
        return [self.slots.id_of(slot) for slot in found.tolist() if slot in self._entries]

    def _relevance(
        self, row: Row, supply: SupplyFacts, embedding: Embedding | None, weights: Weights
    ) -> Values:
        size = self.slots.size
        shares, about = np.zeros(size), np.empty(size)
        for (audience, _), questions in self._questions.items():
            if audience is None or audience & supply.languages:
                questions.ask(row, shares)
        columns = self._fields, self._industries, self._ipc
        asked = supply.fields, supply.industries, supply.ipc
        kernels.blend(shares, sides_of(columns, asked, size), weights.blend, about)
        return self._dense.lift(about, shares, embedding, weights.dense)
