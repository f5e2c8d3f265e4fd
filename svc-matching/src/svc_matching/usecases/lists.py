"""Keep lists, near misses and diagnoses up to date."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from shared.contracts.matches import MatchList
from shared.outbox import UnitOfWork
from svc_matching.engine.engine import Engine
from svc_matching.engine.features import pack_features
from svc_matching.engine.pairs import Ranking
from svc_matching.storage import diagnoses, items, matches
from svc_matching.usecases.list_writing import (
    LIST_UPDATED,
    Revision,
    Standing,
    write_revisions,
)
from svc_matching.usecases.matcher import Matcher

AT_ONCE = 256
"""Lists that one transaction brings up to date. A transaction of seconds would keep all others
waiting, and be lost as a whole, again and again, to a process that ends every few seconds."""


async def rank_lists(work: UnitOfWork, matcher: Matcher, demand_ids: Sequence[UUID]) -> None:
    """Rank all supplies for these open demands."""
    if demand_ids:
        await matcher.need_demands(work.connection)
        matcher.doubt(demand_ids)
        revisions = await matcher.run(rank_all, matcher.engine, demand_ids)
        await write_ranked(work, matcher, revisions)


async def write_ranked(
    work: UnitOfWork,
    matcher: Matcher,
    revisions: Sequence[Revision],
    new: Collection[UUID] = frozenset(),
) -> None:
    """Write what `rank_all` made; demands in `new` have no list yet."""
    demand_ids = [revision.demand_id for revision in revisions]
    old = [demand_id for demand_id in demand_ids if demand_id not in new]
    standings = {demand_id: Standing() for demand_id in demand_ids}
    if old:
        standings |= await _read_standings(work, old)
    await write_revisions(work, matcher.engine, revisions, standings)


async def revise_lists(
    work: UnitOfWork,
    matcher: Matcher,
    concerned: Mapping[UUID, Collection[UUID]],
    changed: frozenset[UUID],
) -> None:
    """Bring lists up to date after some supplies changed.

    `concerned` names for each demand the changed supplies that reach its bar; none when it only
    loses some. A list of an older epoch is left to the ranking that it waits for, and so are those
    beyond what one transaction brings up to date; what may not be shown leaves them at once, too.
    """
    if not concerned:
        return
    epoch = matcher.engine.statistics.epoch
    ids = sorted(concerned)
    await postpone_lists(work, matcher, ids[AT_ONCE:])
    standings = {
        demand_id: standing
        for demand_id, standing in (await _read_standings(work, ids[:AT_ONCE])).items()
        if standing.state is not None
        and standing.state.is_open
        and standing.state.index_epoch == epoch
    }
    gone = [supply_id for supply_id in changed if not matcher.engine.ranks(supply_id)]
    await matches.delist_gone(work.connection, concerned.keys() - standings.keys(), gone, work.now)
    matcher.doubt(standings)
    rankings = {demand_id: standing.ranking() for demand_id, standing in standings.items()}
    revisions = await matcher.run(_revise_all, matcher.engine, rankings, concerned, changed)
    await write_revisions(work, matcher.engine, revisions, standings)


async def postpone_lists(work: UnitOfWork, matcher: Matcher, demand_ids: Collection[UUID]) -> None:
    """Let lists be pending, to be ranked anew; until then no supply concerns their demands."""
    if demand_ids:
        await diagnoses.postpone(work.connection, demand_ids, matcher.engine.statistics.epoch)
        matcher.has_pending = True
        matcher.let_wait(demand_ids)


def rank_all(engine: Engine, demand_ids: Sequence[UUID]) -> list[Revision]:
    """Rank all supplies for these open demands; runs in the engine's thread."""
    rankings = dict(zip(demand_ids, engine.rank_many(demand_ids), strict=True))
    _set_bars(engine, rankings)
    return _revisions(engine, rankings)


def _revise_all(
    engine: Engine,
    rankings: dict[UUID, Ranking],
    concerned: Mapping[UUID, Collection[UUID]],
    changed: frozenset[UUID],
) -> list[Revision]:
    fresh = engine.score_many({demand_id: concerned[demand_id] for demand_id in rankings})
    merged = {
        demand_id: engine.merge(old, changed, fresh[demand_id])
        for demand_id, old in rankings.items()
    }
    short = [demand_id for demand_id, ranking in merged.items() if ranking is None]
    ranked = dict(zip(short, engine.rank_many(short), strict=True))
    revised = {
        demand_id: ranking or ranked[demand_id].keeping(rankings[demand_id], changed)
        for demand_id, ranking in merged.items()
    }
    _set_bars(engine, revised)
    differing = {found: new for found, new in revised.items() if new != rankings[found]}
    return _revisions(engine, differing)


def _revisions(engine: Engine, rankings: Mapping[UUID, Ranking]) -> list[Revision]:
    fresh = [pair for ranking in rankings.values() for pair in ranking.listed if pair.fresh]
    packed = iter(pack_features(fresh, engine.weights))
    revisions = []
    for demand_id, ranking in rankings.items():
        features = {pair.supply_id: next(packed) for pair in ranking.listed if pair.fresh}
        bar = engine.bar(ranking)
        revisions.append(Revision(demand_id, engine.field(demand_id), ranking, bar, features))
    return revisions


def _set_bars(engine: Engine, rankings: Mapping[UUID, Ranking]) -> None:
    for demand_id, ranking in rankings.items():
        engine.set_bar(demand_id, engine.bar(ranking))


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


async def close_lists(work: UnitOfWork, demand_ids: Sequence[UUID]) -> None:
    """Empty the lists of demands that are open no longer: their proposals become STALE."""
    if not demand_ids:
        return
    standings = await _read_standings(work, demand_ids)
    versions = await items.read_ages(work.connection, demand_ids)
    open_ones = {
        demand_id: standing
        for demand_id, standing in standings.items()
        if standing.state is not None and standing.state.is_open
    }
    left = [(d, place.supply_id) for d, s in open_ones.items() for place in s.places]
    await matches.delist(work.connection, left, work.now)
    forgotten = [(d, miss.supply_id) for d, s in open_ones.items() for miss in s.misses]
    await diagnoses.forget_near_misses(work.connection, forgotten)
    states = [
        {
            **standing.state._asdict(),
            "demand_version": versions[demand_id].version,
            "is_open": False,
            "bar": 0,
            "witness_id": None,
            "witness_relevance": 0,
            "list_version": standing.state.list_version + 1,
            "diagnosis": None,
            "reasons": [],
            "updated_at": work.now,
        }
        for demand_id, standing in open_ones.items()
        if standing.state is not None
    ]
    if not states:
        return
    await diagnoses.write_states(work.connection, states)
    for state in states:
        body = MatchList(
            id=state["demand_id"],
            version=state["list_version"],
            demand_version=state["demand_version"],
            status="CLOSED",
            index_epoch=max(state["index_epoch"], 0),
            items=[],
            updated_at=work.now,
        )
        work.publish(LIST_UPDATED, body.id, body.version, body)
