"""Write lists, near misses and diagnoses, and tell the others when they have changed."""

from collections.abc import Collection, Iterable, Sequence
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
from svc_matching.engine.engine import VOCABULARY_VERSION, Engine
from svc_matching.engine.features import Features, confidence_of, pack_features
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.storage import diagnoses, items, matches
from svc_matching.storage.matches import Place
from svc_matching.usecases.matcher import Matcher

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


async def rank_lists(work: UnitOfWork, matcher: Matcher, demand_ids: Sequence[UUID]) -> None:
    """Rank all supplies for these open demands."""
    if not demand_ids:
        return
    matcher.doubt(demand_ids)
    revisions = await matcher.run(_rank_all, matcher.engine, demand_ids)
    standings = await _read_standings(work, demand_ids)
    await _write(work, matcher.engine, revisions, standings)


async def revise_lists(
    work: UnitOfWork, matcher: Matcher, demand_ids: Collection[UUID], changed: frozenset[UUID]
) -> None:
    """Bring lists up to date after some supplies changed.

    A list of an older epoch is left to the ranking that it waits for.
    """
    if not demand_ids:
        return
    epoch = matcher.engine.statistics.epoch
    standings = {
        demand_id: standing
        for demand_id, standing in (await _read_standings(work, demand_ids)).items()
        if standing.state is not None
        and standing.state.is_open
        and standing.state.index_epoch == epoch
    }
    matcher.doubt(standings)
    rankings = {demand_id: standing.ranking() for demand_id, standing in standings.items()}
    revisions = await matcher.run(_revise_all, matcher.engine, rankings, changed)
    await _write(work, matcher.engine, revisions, standings)


def _rank_all(engine: Engine, demand_ids: Iterable[UUID]) -> list[Revision]:
    return [_revision(engine, demand_id, engine.rank(demand_id)) for demand_id in demand_ids]


def _revise_all(
    engine: Engine, rankings: dict[UUID, Ranking], changed: frozenset[UUID]
) -> list[Revision]:
    revisions = []
    for demand_id, old in rankings.items():
        fresh = engine.score(demand_id, changed)
        new = engine.merge(old, changed, fresh) or engine.rank(demand_id)
        revisions.append(_revision(engine, demand_id, new))
    return revisions


def _revision(engine: Engine, demand_id: UUID, ranking: Ranking) -> Revision:
    bar = engine.bar(ranking)
    engine.set_bar(demand_id, bar)
    return Revision(
        demand_id,
        ranking,
        bar,
        {
            pair.supply_id: (pack_features(engine, demand_id, pair), confidence_of(engine, pair))
            for pair in ranking.listed
            if pair.values
        },
        {
            pair.supply_id: [
                reason.model_dump(mode="json", exclude_none=True)
                for reason in engine.reasons(demand_id, pair)
            ]
            for pair in ranking.missed
            if pair.values
        },
    )


async def _read_standings(work: UnitOfWork, demand_ids: Collection[UUID]) -> dict[UUID, Standing]:
    states = await diagnoses.read_states(work.connection, demand_ids)
    lists = await matches.read_lists(work.connection, demand_ids)
    misses = await diagnoses.read_near_misses(work.connection, demand_ids)
    return {
        demand_id: Standing(
            states.get(demand_id), lists.get(demand_id, []), misses.get(demand_id, [])
        )
        for demand_id in demand_ids
    }
