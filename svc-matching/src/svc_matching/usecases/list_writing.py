"""Write rankings as lists, near misses and diagnoses, and announce those that have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.contracts.matches import (
    DiagnosisCode,
    DiagnosisState,
    ListEntry,
    MatchList,
    MatchState,
    ReasonCode,
)
from shared.kernel.ids import new_id
from shared.outbox import UnitOfWork
from svc_matching.domain.diagnoses import decide, leading_reasons
from svc_matching.domain.items import Item
from svc_matching.engine.engine import VOCABULARY_VERSION, Engine
from svc_matching.engine.features import Features
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items, matches
from svc_matching.storage.matches import Place

LIST_UPDATED = "matching.list.updated.v1"
DIAGNOSIS_CHANGED = "matching.diagnosis.changed.v1"

PairKey = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a demand's list stands in the tables."""

    state: Row[Any] | None
    places: list[Place]
    misses: list[Row[Any]]

    def ranking(self) -> Ranking:
        """Return the list as the engine knows rankings; features stay in the tables."""
        witness = None
        if self.state is not None and self.state.witness_id is not None:
            witness = _stored(self.state.witness_id, 0, self.state.witness_relevance, 0)
        return Ranking(
            tuple(_stored(p.supply_id, p.score, p.relevance, p.reasons) for p in self.places),
            tuple(_stored(m.supply_id, 0, m.relevance, m.reasons) for m in self.misses),
            witness,
        )


@dataclass(frozen=True, slots=True)
class Revision:
    """A demand's new ranking, with what is to be written of the pairs that are new in it."""

    demand_id: UUID
    ranking: Ranking
    bar: int
    features: dict[UUID, tuple[Features, int]]
    figures: dict[UUID, list[dict[str, Any]]]


def _stored(supply_id: UUID, score: int, relevance: int, reasons: int) -> Pair:
    return Pair(supply_id, score, relevance, reasons, 0.0, (), ())


async def write_revisions(
    work: UnitOfWork,
    engine: Engine,
    revisions: Sequence[Revision],
    standings: dict[UUID, Standing],
) -> None:
    """Write what differs, and announce the lists and diagnoses that have changed."""
    if not revisions:
        return
    writer = _Writer(work, engine, standings)
    await writer.look_up(revisions)
    for revision in revisions:
        writer.add(revision)
    await writer.flush()


class _Writer:
    """Collects the rows of many lists, so that each table is written once."""

    def __init__(self, work: UnitOfWork, engine: Engine, standings: dict[UUID, Standing]) -> None:
        self._work = work
        self._engine = engine
        self._epoch = engine.statistics.epoch
        self._standings = standings
        self._ids: dict[PairKey, UUID] = {}
        self._items: dict[UUID, Item] = {}
        self._fields: dict[UUID, str | None] = {}
        self._listed: list[dict[str, Any]] = []
        self._left: list[PairKey] = []
        self._missed: list[dict[str, Any]] = []
        self._forgotten: list[PairKey] = []
        self._states: list[dict[str, Any]] = []
        self._runs: list[dict[str, Any]] = []

    async def look_up(self, revisions: Sequence[Revision]) -> None:
        """Fetch ids of known pairs, and versions of both sides."""
        pairs = [(r.demand_id, supply_id) for r in revisions for supply_id in r.features]
        self._ids = await matches.read_ids(self._work.connection, pairs)
        sides = {r.demand_id for r in revisions} | {supply_id for _, supply_id in pairs}
        self._items = await items.read_items(self._work.connection, sides)
        demand_ids = [r.demand_id for r in revisions]
        self._fields = await items.read_first_fields(self._work.connection, demand_ids)

    def add(self, revision: Revision) -> None:
        """Take one demand's new ranking."""
        standing = self._standings[revision.demand_id]
        places = self._places(revision, standing)
        self._near_misses(revision, standing)
        self._runs.append(
            {
                "demand_id": revision.demand_id,
                "demand_version": self._items[revision.demand_id].version,
                "index_epoch": self._epoch,
                "listed": len(places),
                "created_at": self._work.now,
            }
        )
        self._state(revision, standing, places)

    def _places(self, revision: Revision, standing: Standing) -> list[Place]:
        demand_id = revision.demand_id
        old = {place.supply_id: place for place in standing.places}
        listed = {pair.supply_id for pair in revision.ranking.listed}
        self._left += [(demand_id, supply_id) for supply_id in old if supply_id not in listed]
        places = []
        for pair in revision.ranking.listed:
            if pair.values:
                places.append(self._list(demand_id, pair, revision.features[pair.supply_id]))
            else:
                places.append(old[pair.supply_id])
        return places

    def _list(self, demand_id: UUID, pair: Pair, features: tuple[Features, int]) -> Place:
        match_id = self._ids.get((demand_id, pair.supply_id)) or new_id()
        supply_version = self._items[pair.supply_id].version
        self._listed.append(
            {
                "id": match_id,
                "demand_id": demand_id,
                "supply_id": pair.supply_id,
                "state": MatchState.PROPOSED.value,
                "listed": True,
                "score": pair.score,
                "relevance": pair.relevance,
                "confidence": features[1],
                "reasons": pair.reasons,
                "demand_version": self._items[demand_id].version,
                "supply_version": supply_version,
                "index_epoch": self._epoch,
                "weights_version": self._engine.weights.version,
                "vocabulary_version": VOCABULARY_VERSION,
                "features": features[0],
                "created_at": self._work.now,
                "updated_at": self._work.now,
            }
        )
        return Place(
            match_id, pair.supply_id, supply_version, pair.score, pair.relevance, pair.reasons
        )

    def _near_misses(self, revision: Revision, standing: Standing) -> None:
        demand_id = revision.demand_id
        kept = {pair.supply_id for pair in revision.ranking.missed}
        self._forgotten += [
            (demand_id, row.supply_id) for row in standing.misses if row.supply_id not in kept
        ]
        self._missed += [
            {
                "demand_id": demand_id,
                "supply_id": pair.supply_id,
                "relevance": pair.relevance,
                "reasons": pair.reasons,
                "figures": revision.figures[pair.supply_id],
            }
            for pair in revision.ranking.missed
            if pair.values
        ]

    def _state(self, revision: Revision, standing: Standing, places: list[Place]) -> None:
        demand = self._items[revision.demand_id]
        old, witness = standing.state, revision.ranking.witness
        misses = [reasons_of(pair.reasons) for pair in revision.ranking.missed]
        code = decide(matched=witness is not None, misses=misses)
        reasons = leading_reasons(code, misses)
        list_changed = (
            old is None
            or old.demand_version != demand.version
            or old.index_epoch != self._epoch
            or _content(places) != _content(standing.places)
        )
        diagnosis_changed = old is None or (old.diagnosis, old.reasons) != (code, reasons)
        state = {
            "demand_id": revision.demand_id,
            "demand_version": demand.version,
            "index_epoch": self._epoch,
            "is_open": True,
            "bar": revision.bar,
            "witness_id": witness.supply_id if witness else None,
            "witness_relevance": witness.relevance if witness else 0,
            "list_version": (old.list_version if old else 0) + list_changed,
            "diagnosis": code.value,
            "diagnosis_version": (old.diagnosis_version if old else 0) + diagnosis_changed,
            "reasons": [reason.value for reason in reasons],
            "updated_at": self._work.now,
        }
        self._states.append(state)
        if list_changed:
            self._announce_list(demand, state, places)
        if diagnosis_changed:
            self._announce_diagnosis(state, code, reasons)

    def _announce_list(self, demand: Item, state: dict[str, Any], places: list[Place]) -> None:
        body = MatchList(
            id=demand.id,
            version=state["list_version"],
            demand_version=demand.version,
            index_epoch=self._epoch,
            province=demand.province,
            field=self._fields.get(demand.id),
            items=[
                ListEntry(
                    match_id=place.match_id,
                    supply_id=place.supply_id,
                    supply_version=place.supply_version,
                    rank=rank,
                    score=place.score / MILLION,
                )
                for rank, place in enumerate(places, start=1)
            ],
            updated_at=self._work.now,
        )
        self._work.publish(LIST_UPDATED, demand.id, body.version, body)

    def _announce_diagnosis(
        self, state: dict[str, Any], code: DiagnosisCode, reasons: list[ReasonCode]
    ) -> None:
        body = DiagnosisState(
            id=state["demand_id"],
            version=state["diagnosis_version"],
            demand_version=state["demand_version"],
            diagnosis=code,
            reasons=reasons,
            updated_at=self._work.now,
        )
        self._work.publish(DIAGNOSIS_CHANGED, body.id, body.version, body)

    async def flush(self) -> None:
        """Write all tables."""
        connection = self._work.connection
        await matches.delist(connection, self._left, self._work.now)
        await matches.write(connection, self._listed)
        await diagnoses.forget_near_misses(connection, self._forgotten)
        await diagnoses.write_near_misses(connection, self._missed)
        await diagnoses.write_states(connection, self._states)
        await matches.write_runs(connection, self._runs)


def _content(places: Sequence[Place]) -> list[tuple[UUID, int, int]]:
    return [(place.supply_id, place.supply_version, place.score) for place in places]
