"""Rank all supplies for one demand, exactly, looking closely at as few as possible.

A score is never above its relevance, and a relevance never above what it is with the ceiling of
its dense part. So supplies are scored in blocks of falling ceilings until no later one can enter
the list, the near misses or the diagnosis.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.arrays import Slots, Values
from svc_matching.engine.candidates import CANDIDATES, CandidateSource
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.kernels import Sides
from svc_matching.engine.look_types import About
from svc_matching.engine.pairs import Bar, Pair, Ranking
from svc_matching.engine.scoring import Block, Scorer, millionths
from svc_matching.engine.supply_index import SupplyIndex
from svc_matching.engine.weights import MILLION, Weights

_BLOCK = 96
_GROWTH = 4
_CELLS = 1 << 20
"""Pairs of demands and supplies that are compared at once, for the sake of memory."""


class Ranker:
    """Scores pairs of the two indexes under one set of weights."""

    def __init__(
        self, supplies: SupplyIndex, weights: Weights, candidates: CandidateSource
    ) -> None:
        self._supplies = supplies
        self._weights = weights
        self._candidates = candidates
        self._scorer = Scorer(supplies.columns, weights)

    def rank(self, demands: Sequence[DemandEntry], year: int) -> list[Ranking]:
        """Return the list, near misses and witness of each demand over all candidates."""
        step = max(1, _CELLS // max(1, self._supplies.slots.size))
        return [
            ranking
            for start in range(0, len(demands), step)
            for ranking in self._rank(demands[start : start + step], year)
        ]

    def _rank(self, demands: Sequence[DemandEntry], year: int) -> list[Ranking]:
        found = self._candidates.search(demands, CANDIDATES)
        searches = [
            Search(demand, each.among, each.terms, self._supplies, self._weights)
            for demand, each in zip(demands, found, strict=True)
        ]
        looking = searches
        while looking := [search for search in looking if search.advance()]:
            self._look(looking, year)
        return [search.collector.ranking() for search in searches]

    def _look(self, searches: Sequence["Search"], year: int) -> None:
        """Look closely at the block that each search is at."""
        block, starts = self._looked_at(
            [
                (search.demand, search.block, search.terms[search.block], search.sides)
                for search in searches
            ],
            year,
        )
        places = self._scorer.promising(block, starts)
        pairs, ends = self._pairs(block, places), np.searchsorted(places, starts).tolist()
        for search, (first, last) in zip(searches, pairwise(ends), strict=True):
            search.collector.add(pairs[first:last])

    def _looked_at(
        self, demands: Sequence[tuple[DemandEntry, Slots, Values, Sides]], year: int
    ) -> tuple[Block, Slots]:
        """Return a look at some slots of each demand, and where its pairs begin in it."""
        starts = np.zeros(len(demands) + 1, np.int64)
        np.cumsum([len(slots) for _, slots, _, _ in demands], out=starts[1:])
        block = Block.of(np.concatenate([slots for _, slots, _, _ in demands]))
        formula = self._scorer.formula(year)
        for (demand, slots, terms, sides), first in zip(demands, starts.tolist(), strict=False):
            near = self._supplies.dense.nearness(demand.embedding, slots)
            about = About(slots, terms, *sides, *near)
            self._scorer.look(demand.want, demand.facts.needs, about, formula, block, first)
        return block, starts

    def score(
        self, demands: Sequence[tuple[DemandEntry, Sequence[int]]], year: int
    ) -> list[list[Pair]]:
        """Return each demand's pairs with the supplies in some slots; none below the floor."""
        counts = [len(slots) for _, slots in demands]
        found: list[list[Pair]] = [[] for _ in demands]
        if not any(counts):
            return found
        step = max(1, _CELLS // max(counts))
        for start in range(0, len(demands), step):
            self._score(demands[start : start + step], year, found[start : start + step])
        return found

    def _score(
        self,
        demands: Sequence[tuple[DemandEntry, Sequence[int]]],
        year: int,
        found: list[list[Pair]],
    ) -> None:
        supplies = self._supplies
        each = [(demand, np.array(given, np.int64)) for demand, given in demands]
        block, starts = self._looked_at(
            [
                (demand, few, supplies.terms_with(demand, few), supplies.sides(demand))
                for demand, few in each
            ],
            year,
        )
        places = np.flatnonzero(block.looks.relevance >= self._weights.floor)
        pairs, ends = self._pairs(block, places), np.searchsorted(places, starts).tolist()
        for kept, (first, last) in zip(found, pairwise(ends), strict=True):
            kept.extend(pairs[first:last])

    def _pairs(self, block: Block, places: Slots) -> list[Pair]:
        ids, looks = self._supplies.slots.id_of, block.looks
        return [
            Pair(ids(slot), score, about, reasons, block, place)
            for slot, score, about, reasons, place in zip(
                block.slots[places].tolist(),
                looks.scores[places].tolist(),
                millionths(looks.relevance[places]).tolist(),
                looks.reasons[places].tolist(),
                places.tolist(),
                strict=True,
            )
        ]


class Search:
    """The way of one demand through the supplies, in blocks of falling ceilings."""

    def __init__(
        self,
        demand: DemandEntry,
        indexed: NDArray[np.bool_],
        terms: Values,
        supplies: SupplyIndex,
        weights: Weights,
    ) -> None:
        self.demand = demand
        self.terms = terms
        self.block = np.empty(0, np.int64)
        self.collector = Collector(weights)
        self.sides = supplies.sides(demand)
        self._about = supplies.relevance(demand, terms, self.sides, weights)
        self._left = np.flatnonzero(indexed & (self._about >= weights.floor))
        self._size = _BLOCK

    def advance(self) -> bool:
        """Go to the next block; False when nothing is left that can change anything."""
        if len(self.block):
            # One millionth of slack: the bar was rounded.
            reached = millionths(self._about[self._left]) + 1 >= self.collector.bar()
            self._left = self._left[reached]
        if self._size < len(self._left):
            parted = np.argpartition(-self._about[self._left], self._size - 1)
            self.block, self._left = (
                self._left[parted[: self._size]],
                self._left[parted[self._size :]],
            )
        else:
            self.block, self._left = self._left, self._left[:0]
        self._size *= _GROWTH
        return len(self.block) > 0


class Collector:
    """Keeps the best of what it is shown, and knows what else can matter."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._relevant = round(weights.relevant * MILLION)
        self._listed: list[Pair] = []
        self._missed: list[Pair] = []
        self._witness: Pair | None = None

    def keep(self, listed: Iterable[Pair], missed: Iterable[Pair], witness: Pair | None) -> None:
        """Start from what is known already."""
        self._listed, self._missed, self._witness = list(listed), list(missed), witness

    def add(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            relevant = pair.relevance >= self._relevant
            if pair.passes:
                self._listed.append(pair)
                if relevant and not pair.blocked and self._before_witness(pair):
                    self._witness = pair
            if relevant and pair.reasons:
                self._missed.append(pair)
        self._listed = sorted(self._listed, key=lambda p: p.rank_key)[: self._weights.list_size]
        self._missed = sorted(self._missed, key=lambda p: p.miss_key)[: self._weights.near_misses]

    def _before_witness(self, pair: Pair) -> bool:
        return self._witness is None or pair.miss_key < self._witness.miss_key

    def bar(self) -> int:
        """Return the relevance, in millionths, from which a pair can still change anything."""
        return bar_of(self.ranking(), self._weights).lowest

    def ranking(self) -> Ranking:
        return Ranking(tuple(self._listed), tuple(self._missed), self._witness)


def bar_of(ranking: Ranking, weights: Weights) -> Bar:
    """Return what a pair must reach to change anything in `ranking`."""
    relevant = round(weights.relevant * MILLION)
    full = len(ranking.listed) == weights.list_size
    enough = len(ranking.missed) == weights.near_misses
    return Bar(
        ranking.listed[-1].score if full else 0,
        ranking.missed[-1].relevance if enough else relevant,
        ranking.witness.relevance if ranking.witness else relevant,
    )


def merge(
    old: Ranking, changed: frozenset[UUID], fresh: Iterable[Pair], weights: Weights
) -> Ranking | None:
    """Return the ranking after some supplies changed; None when only a full ranking can tell.

    `fresh` are the changed supplies' new pairs. Full rankings are needed when something left and
    what comes next was never kept.
    """
    collector = Collector(weights)
    witness = old.witness if old.witness and old.witness.supply_id not in changed else None
    collector.keep(
        (pair for pair in old.listed if pair.supply_id not in changed),
        (pair for pair in old.missed if pair.supply_id not in changed),
        witness,
    )
    collector.add(fresh)
    new = collector.ranking()
    if len(old.listed) == weights.list_size and (
        len(new.listed) < weights.list_size or new.listed[-1].rank_key > old.listed[-1].rank_key
    ):
        return None
    if len(old.missed) == weights.near_misses and (
        len(new.missed) < weights.near_misses or new.missed[-1].miss_key > old.missed[-1].miss_key
    ):
        return None
    if old.witness is not None and (
        new.witness is None or new.witness.miss_key > old.witness.miss_key
    ):
        return None
    return new
