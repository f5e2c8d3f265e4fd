"""The matching engine: two indexes, frozen statistics and versioned weights behind one door.

Not safe for several threads at once; its owner calls it from one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from svc_matching.engine.candidates import LocalIndex, SourceOf
from svc_matching.engine.demand_index import DemandEntry, DemandIndex
from svc_matching.engine.dense import read_embeddings
from svc_matching.engine.facts import DemandFacts, SupplyFacts
from svc_matching.engine.in_use import vocabulary
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.pairs import Bar, Pair, Ranking
from svc_matching.engine.ranking import Ranker, bar_of, merge
from svc_matching.engine.snapshots import Held, Holding
from svc_matching.engine.statistics import Frozen, Statistics, freeze
from svc_matching.engine.supply_index import SupplyIndex
from svc_matching.engine.vectors import TextVector, vector_of
from svc_matching.engine.views import View
from svc_matching.engine.weights import Weights, load_weights


class Engine:
    """Ranks supplies for open demands, and finds the demands that a supply concerns.

    `year` is what the age of used equipment counts from; it changes with an epoch only. `frozen`
    is what everything is weighed by, `before` what it was weighed by in the last epoch.
    `candidates` says which supplies a demand looks at. `embedder` made the embeddings that count,
    if any do.
    """

    def __init__(
        self, weights: Weights | None = None, *, year: int, candidates: SourceOf = LocalIndex
    ) -> None:
        self.given = weights or load_weights()
        self.year = year
        self.lexicon = Lexicon()
        self.frozen = Frozen.of(freeze(0, (), self.lexicon), self.lexicon)
        self.before: Frozen | None = None
        self.supplies = SupplyIndex()
        self.demands = DemandIndex(self.lexicon)
        self._candidates = candidates(self.supplies, self.lexicon)
        self.use(None)

    @property
    def vocabulary_version(self) -> str:
        """What texts are read with; it changes with an epoch only."""
        return vocabulary().version

    @property
    def statistics(self) -> Statistics:
        """What everything is weighed by."""
        return self.frozen.statistics

    def use(self, embedder: str | None) -> None:
        """Let the embeddings of one embedder count from now on, or none; they are yet to come."""
        self.embedder = embedder
        self.weights = self.given if embedder else self.given.without_dense()
        self.supplies.dense.clear()
        self.demands.forget_embeddings()
        self._ranker = Ranker(self.supplies, self.weights, self._candidates)

    def embed(self, embeddings: Mapping[UUID, bytes]) -> None:
        """Give supplies and demands their embeddings; who is put again loses it."""
        read = read_embeddings(embeddings.values())
        for found, embedding in zip(embeddings, read, strict=True):
            self.supplies.embed(found, embedding)
            self.demands.embed(found, embedding)

    def holds(self, found: UUID) -> bool:
        """Whether it is an open demand or a supply in the index."""
        return found in self.supplies.slots or found in self.demands.slots

    def ranks(self, supply_id: UUID) -> bool:
        """Whether it is a supply that lists may hold."""
        slot = self.supplies.slots.get(supply_id)
        return slot is not None and self.supplies.columns.is_live(slot)

    def put_supply(
        self, supply_id: UUID, facts: SupplyFacts, views: Iterable[View], *, weigh: bool = True
    ) -> None:
        """Add or replace a supply; many at once are weighed together by a later `adopt`."""
        statistics = self.statistics if weigh else None
        self.supplies.put(supply_id, facts, self._vectors(views), statistics)
        if weigh:
            self._candidates.upsert(supply_id)

    def drop_supply(self, supply_id: UUID) -> None:
        """Remove a supply; an unknown one is no error."""
        if supply_id in self.supplies.slots:
            self.supplies.drop(supply_id)
            self._candidates.delete(supply_id)

    def put_demand(self, demand_id: UUID, facts: DemandFacts, views: Iterable[View]) -> None:
        """Open a demand, or replace it; its bar lets everything through until it is set."""
        vectors = self._vectors(views)
        self.demands.put(demand_id, facts, vectors, self.frozen)

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
        self.before, self.frozen = self.frozen, Frozen.of(statistics, self.lexicon)
        self.supplies.reweigh(statistics)
        self._candidates.renew()
        self.demands.reweigh(self.frozen)

    def hold(self) -> Holding:
        """Return the supplies, as weighed now, for a snapshot."""
        return self.supplies.hold(list(self.lexicon.terms()))

    def restore(self, held: Held, epoch: int, statistics: bytes) -> None:
        """Begin with the supplies of a snapshot, weighed by the stored statistics of its epoch."""
        self.lexicon.intern(held.terms)
        loaded = Statistics.load(epoch, statistics, self.lexicon)
        self.frozen = Frozen.of(loaded, self.lexicon)
        self.supplies.restore(held)
        self._candidates.renew()

    def rank(self, demand_id: UUID) -> Ranking:
        """Rank all supplies for one open demand."""
        return self.rank_many([demand_id])[0]

    def rank_many(self, demand_ids: Iterable[UUID]) -> list[Ranking]:
        """Rank all supplies for some open demands: many at once cost less than one by one."""
        return self._ranker.rank([self._demand(found) for found in demand_ids], self.year)

    def preview(
        self, facts: DemandFacts, views: Iterable[View], embedding: bytes | None = None
    ) -> Ranking:
        """Rank all supplies for a demand that is not opened; nothing of it stays here.

        Its new words get the numbers that `put_demand` would give them, so the ranking is the one
        it would have, and lose them again.
        """
        near = next(iter(read_embeddings([embedding] if embedding else [])), None)
        with self.lexicon.passing(), self.frozen.passing():
            vectors = self._vectors(views)
            entry = self.demands.entry(facts, vectors, self.frozen, near)
            return self._ranker.rank([entry], self.year)[0]

    def score(self, demand_id: UUID, supply_ids: Iterable[UUID]) -> list[Pair]:
        """Return the demand's pairs with some supplies, gates passed or not."""
        return self.score_many({demand_id: supply_ids})[demand_id]

    def score_many(self, pairs: Mapping[UUID, Iterable[UUID]]) -> dict[UUID, list[Pair]]:
        """Return the pairs of some demands with some supplies each."""
        wanted = [(self._demand(found), self._slots(supplies)) for found, supplies in pairs.items()]
        return dict(zip(pairs, self._ranker.score(wanted, self.year), strict=True))

    def _slots(self, supply_ids: Iterable[UUID]) -> list[int]:
        found = (self.supplies.slots.get(supply_id) for supply_id in supply_ids)
        return sorted(slot for slot in found if slot is not None)

    def concerned(self, supply_ids: Iterable[UUID]) -> dict[UUID, set[UUID]]:
        """Return the open demands that these supplies can change something for, and by which."""
        slots = self._slots(supply_ids)
        met = self.demands.met_by(
            self.supplies.rows_of(slots),
            [(self.supplies.columns.facts[slot], self.supplies.dense.get(slot)) for slot in slots],
            self.weights,
        )
        by_demand: dict[UUID, set[UUID]] = defaultdict(set)
        for slot, demand_ids in zip(slots, met, strict=True):
            supply_id = self.supplies.slots.id_of(slot)
            for demand_id in demand_ids:
                by_demand[demand_id].add(supply_id)
        concerned: dict[UUID, set[UUID]] = {}
        for demand_id, pairs in self.score_many(by_demand).items():
            bar = self.demands.bar(demand_id)
            reaching = {pair.supply_id for pair in pairs if bar.is_reached_by(pair)}
            if reaching:
                concerned[demand_id] = reaching
        return concerned

    def merge(
        self, old: Ranking, changed: frozenset[UUID], fresh: Iterable[Pair]
    ) -> Ranking | None:
        """Return `old` with the changed supplies in their new places; None when it takes a rank."""
        return merge(old, changed, fresh, self.weights)

    def field(self, demand_id: UUID) -> str | None:
        """Return the first field of a demand."""
        return next(iter(self._demand(demand_id).facts.fields), None)

    def bar(self, ranking: Ranking) -> Bar:
        """Return what a supply must reach to change this ranking."""
        return bar_of(ranking, self.weights)

    def set_bar(self, demand_id: UUID, bar: Bar) -> None:
        """Let supplies that do not reach `bar` pass this demand by."""
        self.demands.set_bar(demand_id, bar)
