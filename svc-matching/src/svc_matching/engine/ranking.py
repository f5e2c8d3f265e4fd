"""Rank all supplies for one demand, exactly, looking closely at as few as possible.

A score is never above its relevance. So supplies are scored in blocks of falling relevance until
no later one can enter the list, the near misses or the diagnosis.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.components import Slots, Values
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.gates import GATE_BITS
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.scoring import Block, Scorer, millionths, relevance
from svc_matching.engine.supply_index import SupplyIndex
from svc_matching.engine.weights import MILLION, Weights

_BLOCK = 256


class Ranker:
    """Scores pairs of the two indexes under one set of weights."""

    def __init__(self, supplies: SupplyIndex, weights: Weights) -> None:
        self._supplies = supplies
        self._weights = weights
        self._scorer = Scorer(supplies.columns, weights)

    def rank(self, demand: DemandEntry, year: int) -> Ranking:
        """Return the demand's list, near misses and witness over all supplies."""
        terms = self._supplies.terms(demand)
        slots = np.flatnonzero(self._supplies.indexed())
        about = relevance(terms[slots], self._supplies.sides(demand.facts, slots), self._weights)
        keep = about >= self._weights.floor
        collector = Collector(self._weights)
        for block in _falling(slots[keep], about[keep]):
            best = about[np.searchsorted(slots, block[0])]
            if collector.is_settled(int(np.rint(MILLION * best)) + 1):
                break
            scored = self._block(demand, block, terms[block], year)
            collector.add(self._pairs(scored, _promising(scored, self._weights)))
        return collector.ranking()

    def score(self, demand: DemandEntry, supply_ids: Iterable[UUID], year: int) -> list[Pair]:
        """Return the demand's pairs with the given supplies, those below the floor left out."""
        found = (self._supplies.slots.get(supply_id) for supply_id in supply_ids)
        slots = np.array(sorted(slot for slot in found if slot is not None), np.int64)
        if not len(slots):
            return []
        terms = self._supplies.terms_of(demand, slots)
        block = self._block(demand, slots, terms, year)
        return list(self._pairs(block, np.flatnonzero(block.relevance >= self._weights.floor)))

    def _block(self, demand: DemandEntry, slots: Slots, terms: Values, year: int) -> Block:
        sides = self._supplies.sides(demand.facts, slots)
        return self._scorer.block(demand.facts, slots, terms, sides, year)

    def _pairs(self, block: Block, places: Slots) -> Iterator[Pair]:
        relevances = millionths(block.relevance)
        for place in places.tolist():
            yield Pair(
                supply_id=self._supplies.slots.id_of(int(block.slots[place])),
                score=int(block.scores[place]),
                relevance=int(relevances[place]),
                reasons=int(block.reasons[place]),
                about=float(block.relevance[place]),
                values=tuple(block.values[:, place].tolist()),
                known=tuple(block.known[:, place].tolist()),
            )


def _promising(block: Block, weights: Weights) -> Slots:
    """Return the places in the block that could be listed, be a near miss or be the witness."""
    relevant = block.relevance >= weights.relevant - 1e-6
    passes = (block.reasons & GATE_BITS) == 0
    free = passes & relevant & (block.reasons == 0)
    chosen = (
        _highest(block.scores, passes, weights.list_size)
        | _highest(block.relevance, relevant & (block.reasons != 0), weights.near_misses)
        | _highest(block.relevance, free, 1)
    )
    return np.flatnonzero(chosen)


def _highest(values: NDArray[Any], among: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Mark the `count` highest of those `among`, all of equal value included."""
    if among.sum() <= count:
        return among
    bar = np.partition(values[among], -count)[-count]
    return np.asarray(among & (values >= bar))


def _falling(slots: Slots, about: Values) -> Iterator[Slots]:
    """Yield growing blocks of slots, most relevant first, sorting no further than is asked for."""
    left, size = np.arange(len(slots)), _BLOCK
    while len(left):
        if size < len(left):
            parted = np.argpartition(-about[left], size - 1)
            block, left = left[parted[:size]], left[parted[size:]]
        else:
            block, left = left, left[:0]
        yield slots[block[np.argsort(-about[block], kind="stable")]]
        size *= 4


class Collector:
    """Keeps the best of what it is shown, and knows when the rest cannot matter."""

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

    def is_settled(self, bound: int) -> bool:
        """Whether no pair with a relevance of at most `bound` can change anything."""
        return bound < bar_of(self.ranking(), self._weights)

    def ranking(self) -> Ranking:
        return Ranking(tuple(self._listed), tuple(self._missed), self._witness)


def bar_of(ranking: Ranking, weights: Weights) -> int:
    """Return the relevance, in millionths, from which a pair can change anything in `ranking`."""
    relevant = round(weights.relevant * MILLION)
    full = len(ranking.listed) == weights.list_size
    enough = len(ranking.missed) == weights.near_misses
    return min(
        ranking.listed[-1].score if full else 0,
        ranking.missed[-1].relevance if enough else relevant,
        MILLION if ranking.witness else relevant,
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
    if old.witness is not None and new.witness is None:
        return None
    return new
