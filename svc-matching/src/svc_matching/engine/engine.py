"""The matching engine: two indexes, frozen statistics and versioned weights behind one door.

Not safe for several threads at once; its owner calls it from one.
"""

from collections.abc import Iterable
from uuid import UUID

import numpy as np

from shared.contracts.matches import Reason
from svc_matching.engine.demand_index import DemandEntry, DemandIndex
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.matched import TermMatch, matched_terms
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.ranking import Ranker, bar_of, merge
from svc_matching.engine.reasons import describe
from svc_matching.engine.statistics import Statistics, freeze
from svc_matching.engine.supply_index import SupplyIndex
from svc_matching.engine.vectors import TextVector, vector_of
from svc_matching.engine.views import View
from svc_matching.engine.weights import Weights, load_weights

VOCABULARY_VERSION = "none"
"""There is no technology vocabulary yet: languages meet in loan words, codes and translations."""


class Engine:
    """Ranks supplies for open demands, and finds the demands that a supply concerns.

    `year` is what the age of used equipment counts from; it changes with an epoch only.
    """

    def __init__(self, weights: Weights | None = None, *, year: int) -> None:
        self.weights = weights or load_weights()
        self.year = year
        self.lexicon = Lexicon()
        self.statistics = freeze(0, (), self.lexicon)
        self._rarities = np.ones(0)
        self.supplies = SupplyIndex()
        self.demands = DemandIndex(self.lexicon)
        self._ranker = Ranker(self.supplies, self.weights)

    def put_supply(
        self, supply_id: UUID, facts: SupplyFacts, views: Iterable[View], *, weigh: bool = True
    ) -> None:
        """Add or replace a supply; many at once are weighed together by a later `adopt`."""
        statistics = self.statistics if weigh else None
        self.supplies.put(supply_id, facts, self._vectors(views), statistics)

    def drop_supply(self, supply_id: UUID) -> None:
        """Remove a supply; an unknown one is no error."""
        if supply_id in self.supplies.slots:
            self.supplies.drop(supply_id)

    def put_demand(self, demand_id: UUID, facts: DemandFacts, views: Iterable[View]) -> None:
        """Open a demand, or replace it; its bar lets everything through until it is set."""
        vectors = self._vectors(views)
        self.demands.put(demand_id, facts, vectors, self.statistics, self._rarities)

    def drop_demand(self, demand_id: UUID) -> None:
        """Close a demand; an unknown one is no error."""
        if demand_id in self.demands.slots:
            self.demands.drop(demand_id)

    def _vectors(self, views: Iterable[View]) -> tuple[TextVector, ...]:
        return tuple(vector_of(view, self.lexicon) for view in views)

    def _demand(self, demand_id: UUID) -> DemandEntry:
        entry = self.demands.get(demand_id)
        if entry is None:
            raise KeyError(demand_id)
        return entry

    def freeze(self, epoch: int) -> Statistics:
        """Return statistics of the supplies as they are now; `adopt` puts them to use."""
        return freeze(epoch, self.supplies.live(), self.lexicon)

    def adopt(self, statistics: Statistics) -> None:
        """Weigh everything by these statistics; every list is to be ranked anew."""
        self.statistics = statistics
        self._rarities = statistics.rarities(self.lexicon)
        self.supplies.reweigh(statistics)
        self.demands.reweigh(statistics, self._rarities)

    def rank(self, demand_id: UUID) -> Ranking:
        """Rank all supplies for one open demand."""
        return self._ranker.rank(self._demand(demand_id), self.year)

    def score(self, demand_id: UUID, supply_ids: Iterable[UUID]) -> list[Pair]:
        """Return the demand's pairs with some supplies, gates passed or not."""
        return self._ranker.score(self._demand(demand_id), supply_ids, self.year)

    def concerned(self, supply_id: UUID) -> list[UUID]:
        """Return the open demands whose list, near misses or diagnosis this supply can change."""
        slot = self.supplies.slots.get(supply_id)
        if slot is None:
            return []
        row, facts = self.supplies.row(slot), self.supplies.columns.facts[slot]
        return self.demands.met_by(row, facts, self.weights)

    def merge(
        self, old: Ranking, changed: frozenset[UUID], fresh: Iterable[Pair]
    ) -> Ranking | None:
        """Return `old` with the changed supplies in their new places; None when it takes a rank."""
        return merge(old, changed, fresh, self.weights)

    def reasons(self, demand_id: UUID, pair: Pair) -> list[Reason]:
        """Return what stands in this pair's way, with figures."""
        slot = self.supplies.slots.get(pair.supply_id)
        if slot is None or not pair.reasons:
            return []
        facts = self.supplies.columns.facts[slot]
        return describe(pair.reasons, self._demand(demand_id).facts, facts)

    def bar(self, ranking: Ranking) -> int:
        """Return from which relevance on, in millionths, a supply can change this ranking."""
        return bar_of(ranking, self.weights)

    def set_bar(self, demand_id: UUID, bar: int) -> None:
        """Let supplies below `bar` pass this demand by without a second look."""
        self.demands.set_bar(demand_id, bar)

    def languages(self, demand_id: UUID, supply_id: UUID) -> tuple[str | None, str | None]:
        """Return the languages that both sides' texts were analysed in."""
        slot = self.supplies.slots.get(supply_id)
        supply = None if slot is None else self.supplies.columns.facts[slot].language
        return self._demand(demand_id).facts.language, supply

    def explain(self, demand_id: UUID, supply_id: UUID) -> TermMatch:
        """Return the terms that made this pair relevant."""
        slot = self.supplies.slots.get(supply_id)
        if slot is None:
            return TermMatch((), 0)
        return matched_terms(self._demand(demand_id), self.supplies.row(slot), self.lexicon)
