"""Candidates from Milvus: for several hosts, or for more supplies than one process should search.

Milvus holds our impacts as sparse vectors and returns what has the largest inner products with a
demand's queries. What is relevant, and how much, is then computed from our own rows, so a pair
has the same score as with the local index.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from uuid import UUID
from zlib import crc32

import numpy as np

from shared.kernel.health import Check
from svc_matching.clients.milvus_collection import MilvusCollection, SparseVector, unavailable
from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine.arrays import Slots
from svc_matching.engine.candidates import Candidates
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.supply_index import SupplyIndex
from svc_matching.engine.vectors import QueryVector

_DIMENSIONS = 2**32 - 1
_BATCH = 500
FILL_SECONDS = 20.0
"""How long one search may send what is new before it asks its caller to come again."""
_SETS_COUNT = 4
"""How many more to ask for by the sum of each set: what only many words of one set make large
stands before what is relevant."""


class Milvus:
    """One server: what follows an index there, how it is, and its end."""

    def __init__(self, uri: str) -> None:
        self._collection = MilvusCollection(uri)

    def source(self, supplies: SupplyIndex, lexicon: Lexicon) -> "MilvusSource":
        """Return a source that follows this index; the one before it is asked no more."""
        return MilvusSource(self._collection, supplies, lexicon)

    async def check(self) -> Check:
        """Tell health whether the server answers; lists and their arithmetic are read without."""
        try:
            await asyncio.to_thread(self._collection.probe)
        except RuntimeError as error:
            return Check("fail", "candidates_unreachable", output=str(error)[:500])
        return Check("pass")

    def close(self) -> None:
        self._collection.close()


class MilvusSource:
    """Sends what has changed when it is asked; what could not be sent waits."""

    def __init__(
        self, collection: MilvusCollection, supplies: SupplyIndex, lexicon: Lexicon
    ) -> None:
        self._collection = collection
        self._supplies = supplies
        self._lexicon = lexicon
        self._waiting: set[UUID] = set()
        self._unsure = True

    def upsert(self, supply_id: UUID) -> None:
        self._waiting.add(supply_id)

    def delete(self, supply_id: UUID) -> None:
        self._waiting.add(supply_id)

    def renew(self) -> None:
        self._unsure = True

    def search(self, demands: Sequence[DemandEntry], count: int) -> list[Candidates]:
        """Ask each query of each demand by itself: their products are of different scales."""
        if not demands:
            return []
        self._catch_up()
        found: list[list[UUID]] = [[] for _ in demands]
        for (audience, by_sets), asked in _alike(demands).items():
            summed = (each.summed() for _, each in asked)
            vectors = [self._vector(ids.tolist(), weights.tolist()) for ids, weights in summed]
            wanted = count * _SETS_COUNT if by_sets else count
            answers = self._collection.search(vectors, wanted, audience)
            for (row, _), ids in zip(asked, answers, strict=True):
                found[row] += ids
        return [self._exactly(*each) for each in zip(demands, found, strict=True)]

    def _exactly(self, demand: DemandEntry, ids: Iterable[UUID]) -> Candidates:
        """Score by our own rows; what Milvus has and we have not is on its way out."""
        slots = self._indexed(ids)
        terms = np.zeros(self._supplies.slots.size)
        terms[slots] = self._supplies.terms_with(demand, slots)
        return Candidates(slots, terms)

    def _indexed(self, ids: Iterable[UUID]) -> Slots:
        known = (self._supplies.slots.get(each) for each in ids)
        slots = np.unique(np.array([slot for slot in known if slot is not None], np.int64))
        return slots[self._supplies.indexed()[slots]]

    def _vector(self, ids: Iterable[int], weights: Iterable[int]) -> SparseVector:
        """Name terms by a hash: their ids differ from process to process.

        Two terms that share one can only bring in a candidate too many.
        """
        names = map(self._lexicon.term, ids)
        dimensions = (crc32(name.encode()) % _DIMENSIONS for name in names)
        return dict(zip(dimensions, map(float, weights), strict=True))

    def _catch_up(self) -> None:
        """Make Milvus equal to the index; what was sent stays sent, however this ends."""
        until = time.monotonic() + FILL_SECONDS
        if self._collection.open() or self._unsure:
            self._compare()
        while self._waiting:
            if time.monotonic() > until:
                raise unavailable(
                    "candidates_filling",
                    "The candidates in Milvus are being brought up to date; try again shortly.",
                    "Các nguồn cung tiềm năng trong Milvus đang được cập nhật; hãy thử lại sau.",
                )
            batch = list(islice(self._waiting, _BATCH))
            rows = {each: row for each in batch if (row := self._row(each)) is not None}
            self._collection.upsert(list(rows.values()))
            self._collection.delete([each for each in batch if each not in rows])
            self._waiting.difference_update(batch)

    def _compare(self) -> None:
        """Find what Milvus lacks, has in excess or has with other impacts."""
        self._unsure = True
        held = self._collection.digests()
        for each in self._supplies.slots.ids():
            row = self._row(each)
            if held.pop(each, None) != (row and row["digest"]):
                self._waiting.add(each)
        self._waiting.update(held)
        self._unsure = False

    def _row(self, supply_id: UUID) -> dict[str, Any] | None:
        """Return what Milvus is to hold of a supply; None for nothing, as of one without terms."""
        slot = self._supplies.slots.get(supply_id)
        if slot is None:
            return None
        ids, impacts, *_ = self._supplies.rows_of([slot])[0]
        counted = impacts > 0
        terms = self._vector(ids[counted].tolist(), impacts[counted].tolist())
        if not terms:
            return None
        languages = sorted(self._supplies.columns.facts[slot].languages & set(LANGUAGES))
        digest = crc32(repr((languages, sorted(terms.items()))).encode())
        return {"id": str(supply_id), "digest": digest, "languages": languages, "terms": terms}


Kind = tuple[frozenset[str], bool]


def _alike(demands: Sequence[DemandEntry]) -> dict[Kind, list[tuple[int, QueryVector]]]:
    """Return the queries, each with its demand's row, by whom they ask and whether by sets."""
    kinds: dict[Kind, list[tuple[int, QueryVector]]] = {}
    for row, demand in enumerate(demands):
        for query in demand.queries:
            if len(query.ids):
                kind = (query.audience or frozenset(), query.sets is not None)
                kinds.setdefault(kind, []).append((row, query))
    return kinds
