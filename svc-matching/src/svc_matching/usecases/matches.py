"""Read matches: rows become explanations here, in the reader's time and not in the writer's."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.matches import (
    DemandCard,
    EngineVersion,
    Match,
    MatchedConcept,
    SupplyCard,
)
from shared.contracts.supplies import SupplyProfile
from shared.kernel.errors import not_found
from svc_matching.domain.explanations import explain
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.domain.matches import (
    may_read_match,
    require_demand_side,
    require_supply_side,
    visibilities_of,
)
from svc_matching.engine.analysers import surfaces
from svc_matching.engine.features import components_of, gaps_of, passed_gates, terms_of
from svc_matching.engine.matched import MatchedTerm
from svc_matching.engine.views import Profile, plain_text
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items, matches

Position = tuple[int, UUID]


@dataclass(frozen=True, slots=True)
class Page:
    """Some matches, and the position behind the last one if there are more."""

    items: list[Match]
    pending: bool
    next: Position | None


async def read_demand_matches(
    connection: AsyncConnection,
    caller: Caller,
    demand_id: UUID,
    limit: int,
    after: Position | None,
) -> Page:
    """Return a demand's list; `pending` while it was never ranked."""
    demand = require_demand_side(
        caller, await items.read_item(connection, demand_id, ItemKind.DEMAND)
    )
    state = (await diagnoses.read_states(connection, [demand_id])).get(demand_id)
    if demand.status != OPEN or state is None:
        return Page([], pending=demand.status == OPEN, next=None)
    rows = await matches.read_page(connection, demand_id, limit + 1, after)
    shown = rows[:limit]
    following = (shown[-1].score, shown[-1].supply_id) if len(rows) > limit else None
    return Page(await _render(connection, shown, from_supply=False), pending=False, next=following)


async def read_supply_matches(
    connection: AsyncConnection,
    caller: Caller,
    supply_id: UUID,
    limit: int,
    after: Position | None,
) -> Page:
    """Return the matches of a supply with the demands that its owner may see, best first."""
    require_supply_side(caller, await items.read_item(connection, supply_id, ItemKind.SUPPLY))
    seen = None if caller.is_operator else visibilities_of(caller)
    rows = await matches.read_page_of_supply(
        connection, supply_id, limit + 1, after, seen, caller.tenant
    )
    shown = rows[:limit]
    following = (shown[-1].score, shown[-1].demand_id) if len(rows) > limit else None
    return Page(await _render(connection, shown, from_supply=True), pending=False, next=following)


async def read_match(connection: AsyncConnection, caller: Caller, match_id: UUID) -> Match:
    """Return one match with both cards; absent and forbidden are the same."""
    row = await matches.read_match(connection, match_id)
    if row is None:
        raise not_found("match", "kết quả khớp nối")
    sides = await items.read_items(connection, [row.demand_id, row.supply_id])
    if not may_read_match(caller, sides[row.demand_id], sides[row.supply_id]):
        raise not_found("match", "kết quả khớp nối")
    return (await _render(connection, [row], from_supply=True))[0]


async def _render(
    connection: AsyncConnection, rows: Sequence[Row[Any]], *, from_supply: bool
) -> list[Match]:
    if not rows:
        return []
    ids = {row.demand_id for row in rows} | {row.supply_id for row in rows}
    profiles = await items.read_profiles(connection, ids)
    return await asyncio.to_thread(_matches, rows, profiles, from_supply=from_supply)


def _matches(
    rows: Sequence[Row[Any]], profiles: dict[UUID, dict[str, Any]], *, from_supply: bool
) -> list[Match]:
    demands: dict[UUID, _Text] = {}
    supplies: dict[UUID, _Text] = {}
    for row in rows:
        wanted_in, offered_in = row.features["languages"]
        if row.demand_id not in demands:
            profile = DemandProfile.model_validate(profiles[row.demand_id])
            demands[row.demand_id] = _Text(profile, wanted_in)
        if row.supply_id not in supplies:
            offer = SupplyProfile.model_validate(profiles[row.supply_id])
            supplies[row.supply_id] = _Text(offer, offered_in)
    wanted = frozenset(each.term for row in rows for each in terms_of(row.features))
    for text in demands.values():
        text.find(wanted)
    return [
        _match(row, demands[row.demand_id], supplies[row.supply_id], from_supply=from_supply)
        for row in rows
    ]


class _Text:
    """A side's profile with the words behind the terms."""

    def __init__(self, profile: Profile, language: str | None) -> None:
        self.profile = profile
        self.language = language
        self._plain = plain_text(profile)
        self._found: dict[str, str] = {}

    def find(self, terms: frozenset[str]) -> None:
        self._found.update(surfaces(self._plain, self.language or "", terms))

    def surface(self, term: str) -> str:
        """Return the words as written; a term known from a translation only shows itself."""
        return self._found.get(term, term.lstrip("=~").replace("_", " "))


def _concept(term: MatchedTerm, demand: _Text, supply: _Text) -> MatchedConcept:
    return MatchedConcept(
        concept=term.term.lstrip("=~").replace("_", " "),
        demand_text=demand.surface(term.term),
        supply_text=supply.surface(term.term),
        share=term.share / MILLION,
    )


def _match(row: Row[Any], demand: _Text, supply: _Text, *, from_supply: bool) -> Match:
    terms = terms_of(row.features)
    supply.find(frozenset(each.term for each in terms))
    components = components_of(row.features)
    offered = SupplyCard.model_validate(supply.profile, from_attributes=True)
    wanted = DemandCard.model_validate(demand.profile, from_attributes=True)
    return Match(
        id=row.id,
        demand_id=row.demand_id,
        demand_version=row.demand_version,
        supply_id=row.supply_id,
        supply_version=row.supply_version,
        rank=row.rank,
        score=row.score / MILLION,
        confidence=row.confidence / MILLION,
        state=row.state,
        supply=offered,
        demand=wanted if from_supply else None,
        components=components,
        gates=passed_gates(),
        explanation=explain(
            components,
            [_concept(term, demand, supply) for term in terms],
            gaps_of(row.features),
            same_language=demand.language == supply.language,
        ),
        engine=EngineVersion(
            weights_version=row.weights_version,
            vocabulary_version=row.vocabulary_version,
            index_epoch=row.index_epoch,
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
