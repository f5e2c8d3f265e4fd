"""Read matches: rows become explanations here, in the reader's time and not in the writer's."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.matches import (
    Component,
    DemandCard,
    EngineVersion,
    Explanation,
    Match,
)
from shared.contracts.supplies import SupplyStatus
from shared.kernel.errors import not_found
from svc_matching.domain.explanations import withheld
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.domain.matches import (
    may_read_match,
    may_see_supply,
    provinces_of,
    require_demand_side,
    require_supply_side,
    visibilities_of,
)
from svc_matching.engine.features import components_of, passed_gates, priced
from svc_matching.engine.matched import DemandText, MatchedTerm
from svc_matching.engine.reasons import reasons_between
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.views import unpack
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items, matches
from svc_matching.storage.items import Copy
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.wording import Offer, Text, card_of, explanation_of, read_offer

Position = tuple[int, UUID]
Terms = Sequence[MatchedTerm]


@dataclass(frozen=True, slots=True)
class Page:
    """Some matches, and the position behind the last one if there are more."""

    items: list[Match]
    pending: bool
    next: Position | None


async def read_demand_matches(
    connection: AsyncConnection,
    matcher: Matcher,
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
    following = (shown[-1].shown, shown[-1].supply_id) if len(rows) > limit else None
    found = await _render(connection, matcher, shown, from_supply=False)
    return Page(found, pending=False, next=following)


async def read_supply_matches(
    connection: AsyncConnection,
    matcher: Matcher,
    caller: Caller,
    supply_id: UUID,
    limit: int,
    after: Position | None,
) -> Page:
    """Return the matches of a supply with the demands that its owner may see, best first."""
    require_supply_side(caller, await items.read_item(connection, supply_id, ItemKind.SUPPLY))
    seen = None if caller.is_operator else visibilities_of(caller)
    rows = await matches.read_page_of_supply(
        connection, supply_id, limit + 1, after, seen, caller.tenant, provinces_of(caller)
    )
    shown = rows[:limit]
    following = (shown[-1].shown, shown[-1].demand_id) if len(rows) > limit else None
    found = await _render(connection, matcher, shown, from_supply=True)
    return Page(found, pending=False, next=following)


async def read_match(
    connection: AsyncConnection, matcher: Matcher, caller: Caller, match_id: UUID
) -> Match:
    """Return one match with both cards; absent and forbidden are the same."""
    row = await matches.read_match(connection, match_id)
    if row is None:
        raise not_found("match", "kết quả khớp nối")
    sides = await items.read_items(connection, [row.demand_id, row.supply_id])
    if not may_read_match(caller, sides[row.demand_id], sides[row.supply_id]):
        raise not_found("match", "kết quả khớp nối")
    hidden = not may_see_supply(caller, sides[row.supply_id])
    return (await _render(connection, matcher, [row], from_supply=True, hidden=hidden))[0]


async def _render(
    connection: AsyncConnection,
    matcher: Matcher,
    rows: Sequence[Row[Any]],
    *,
    from_supply: bool,
    hidden: bool = False,
) -> list[Match]:
    if not rows:
        return []
    ids = {row.demand_id for row in rows} | {row.supply_id for row in rows}
    copies = await items.read_copies(connection, ids)
    weighings = {
        epoch: await matcher.weighing(connection, epoch)
        for epoch in {row.index_epoch for row in rows}
    }
    reader = _Reader(copies, weighings, from_supply=from_supply, hidden=hidden)
    return await asyncio.to_thread(reader.matches, rows)


class _Reader:
    """Makes matches of rows: the numbers are the row's, the words come from the copies."""

    def __init__(
        self,
        copies: Mapping[UUID, Copy],
        weighings: Mapping[int, Frozen],
        *,
        from_supply: bool,
        hidden: bool,
    ) -> None:
        self._copies = copies
        self._weighings = weighings
        self._from_supply = from_supply
        self._hidden = hidden
        self._demands: dict[UUID, Text[DemandProfile]] = {}
        self._texts: dict[tuple[UUID, int], DemandText] = {}

    def _sides(self, row: Row[Any]) -> tuple[Text[DemandProfile], Offer]:
        if row.demand_id not in self._demands:
            copy = self._copies[row.demand_id]
            wanted = DemandProfile.model_validate_json(copy.profile)
            self._demands[row.demand_id] = Text(wanted, unpack(copy.analysis))
        offered = self._copies[row.supply_id]
        return self._demands[row.demand_id], read_offer(offered.profile, offered.analysis)

    def matches(self, rows: Sequence[Row[Any]]) -> list[Match]:
        """Return the matches of some rows."""
        return [self._match(row) for row in rows]

    def _terms(self, row: Row[Any], demand: Text[DemandProfile], supply: Offer) -> Terms:
        key = row.demand_id, row.index_epoch
        if key not in self._texts:
            self._texts[key] = DemandText(demand.views, self._weighings[row.index_epoch])
        return self._texts[key].matched(supply.text)

    def _explanation(
        self,
        row: Row[Any],
        demand: Text[DemandProfile],
        supply: Offer,
        components: list[Component],
    ) -> Explanation:
        if self._hidden:
            return withheld()
        copies = self._copies[row.demand_id], self._copies[row.supply_id]
        obstacles = reasons_between(
            row.reasons,
            demand.profile,
            supply.profile,
            SupplyStatus(copies[1].status),
            unchanged=(row.demand_version, row.supply_version)
            == (copies[0].version, copies[1].version),
        )
        terms = self._terms(row, demand, supply)
        return explanation_of(demand, supply, components, terms, obstacles)

    def _match(self, row: Row[Any]) -> Match:
        demand, supply = self._sides(row)
        components = priced(components_of(row.components), row.score - row.shown)
        return Match(
            id=row.id,
            demand_id=row.demand_id,
            demand_version=row.demand_version,
            supply_id=row.supply_id,
            supply_version=row.supply_version,
            rank=row.rank,
            score=row.shown / MILLION,
            confidence=row.confidence / MILLION,
            state=row.state,
            supply=None if self._hidden else supply.card,
            demand=card_of(DemandCard, demand.profile) if self._from_supply else None,
            components=components,
            gates=passed_gates(),
            explanation=self._explanation(row, demand, supply, components),
            engine=EngineVersion(
                weights_version=row.weights_version,
                vocabulary_version=row.vocabulary_version,
                index_epoch=row.index_epoch,
            ),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
