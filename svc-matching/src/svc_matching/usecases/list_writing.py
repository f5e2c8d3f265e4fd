"""Write rankings as lists, near misses and diagnoses, and announce those that have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from shared.contracts.matches import (
    DiagnosisCode,
    DiagnosisState,
    ListEntry,
    MatchList,
    ReasonCode,
)
from shared.kernel.faults import crash_point
from shared.kernel.ids import new_id
from shared.outbox import UnitOfWork
from svc_matching.domain.diagnoses import Missed, decide, leading_reasons
from svc_matching.engine.engine import Engine
from svc_matching.engine.features import Features
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.pairs import Bar, Pair, Ranking
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items, lists, matches
from svc_matching.storage.diagnoses import Miss
from svc_matching.storage.items import Head
from svc_matching.storage.lists import ListedPair, Origin, Run, Written
from svc_matching.storage.matches import Place

LIST_UPDATED = "matching.list.updated.v1"
DIAGNOSIS_CHANGED = "matching.diagnosis.changed.v1"

PairKey = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a demand's list stands in the tables."""

    state: Row[Any] | None = None
    places: Sequence[Place] = ()
    misses: Sequence[Miss] = ()

    def ranking(self) -> Ranking:
        """Return the list as the engine knows rankings; features stay in the tables."""
        witness = None
        if self.state is not None and self.state.witness_id is not None:
            witness = Pair(self.state.witness_id, 0, self.state.witness_relevance, 0)
        return Ranking(
            tuple(Pair(p.supply_id, p.score, p.relevance, p.reasons) for p in self.places),
            tuple(Pair(m.supply_id, 0, m.relevance, m.reasons) for m in self.misses),
            witness,
        )


@dataclass(frozen=True, slots=True)
class Revision:
    """A demand's new ranking, with what is to be written of the listed pairs that are fresh."""

    demand_id: UUID
    field: str | None
    ranking: Ranking
    bar: Bar
    features: Mapping[UUID, Features]


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
        self._heads: dict[UUID, Head] = {}
        self._written = Written()
        self._left: list[PairKey] = []
        self._forgotten: list[PairKey] = []

    async def look_up(self, revisions: Sequence[Revision]) -> None:
        """Fetch ids of known pairs, and versions of both sides."""
        known = [r.demand_id for r in revisions if self._standings[r.demand_id].state is not None]
        if known:
            self._ids = await matches.read_ids(self._work.connection, known)
        sides = {revision.demand_id for revision in revisions}
        for revision in revisions:
            sides.update(revision.features)
            sides.update(pair.supply_id for pair in revision.ranking.missed if pair.fresh)
        self._heads = await items.read_heads(self._work.connection, sides)

    def add(self, revision: Revision) -> None:
        """Take one demand's new ranking."""
        standing = self._standings[revision.demand_id]
        places = self._places(revision, standing)
        self._near_misses(revision, standing)
        version = self._heads[revision.demand_id].version
        self._written.runs.append(Run(revision.demand_id, version, self._epoch, len(places)))
        self._state(revision, standing, places)

    def _places(self, revision: Revision, standing: Standing) -> list[Place]:
        demand_id = revision.demand_id
        old = {place.supply_id: place for place in standing.places}
        listed = {pair.supply_id for pair in revision.ranking.listed}
        self._left += [(demand_id, supply_id) for supply_id in old if supply_id not in listed]
        places = []
        for pair in revision.ranking.listed:
            if pair.fresh:
                places.append(self._list(demand_id, pair, revision.features[pair.supply_id]))
            else:
                places.append(old[pair.supply_id])
        return places

    def _list(self, demand_id: UUID, pair: Pair, features: Features) -> Place:
        match_id = self._ids.get((demand_id, pair.supply_id)) or new_id()
        supply_version = self._heads[pair.supply_id].version
        self._written.listed.append(
            ListedPair(
                match_id,
                demand_id,
                pair.supply_id,
                pair.score,
                pair.relevance,
                features.confidence,
                pair.reasons,
                self._heads[demand_id].version,
                supply_version,
                features.components,
            )
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
        self._written.missed.extend(
            Miss(
                demand_id,
                pair.supply_id,
                self._heads[pair.supply_id].version,
                pair.relevance,
                pair.reasons,
            )
            for pair in revision.ranking.missed
            if pair.fresh
        )

    def _state(self, revision: Revision, standing: Standing, places: list[Place]) -> None:
        demand_id, demand = revision.demand_id, self._heads[revision.demand_id]
        old, witness = standing.state, revision.ranking.witness
        misses = [
            Missed(pair.relevance / MILLION, reasons_of(pair.reasons))
            for pair in revision.ranking.missed
        ]
        code = decide(served=witness.relevance / MILLION if witness else None, misses=misses)
        reasons = leading_reasons(code, misses)
        list_changed = (
            old is None
            or old.demand_version != demand.version
            or old.index_epoch != self._epoch
            or _content(places) != _content(standing.places)
        )
        diagnosis_changed = old is None or (old.diagnosis, old.reasons) != (code, reasons)
        state = {
            "demand_id": demand_id,
            "demand_version": demand.version,
            "index_epoch": self._epoch,
            "is_open": True,
            "bar": revision.bar.lowest,
            "witness_id": witness.supply_id if witness else None,
            "witness_relevance": witness.relevance if witness else 0,
            "list_version": (old.list_version if old else 0) + list_changed,
            "diagnosis": code.value,
            "diagnosis_version": (old.diagnosis_version if old else 0) + diagnosis_changed,
            "reasons": [reason.value for reason in reasons],
            "updated_at": self._work.now,
        }
        self._written.states.append(state)
        if list_changed:
            self._announce_list(state, demand.province, revision.field, places)
        if diagnosis_changed:
            self._announce_diagnosis(state, code, reasons)

    def _announce_list(
        self, state: dict[str, Any], province: str | None, field: str | None, places: list[Place]
    ) -> None:
        body = MatchList(
            id=state["demand_id"],
            version=state["list_version"],
            demand_version=state["demand_version"],
            index_epoch=self._epoch,
            province=province,
            field=field,
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
        self._work.publish(LIST_UPDATED, body.id, body.version, body)

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
        await diagnoses.forget_near_misses(connection, self._forgotten)
        weights = self._engine.weights.version
        origin = Origin(self._epoch, weights, self._engine.vocabulary_version, self._work.now)
        await lists.write(connection, self._written, origin)
        crash_point("list_writing")


def _content(places: Sequence[Place]) -> list[tuple[UUID, int, int]]:
    return [(place.supply_id, place.supply_version, place.score) for place in places]
