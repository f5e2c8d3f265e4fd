"""Matches, seen from the demand, from the supply, and one by one."""

from uuid import UUID

from fastapi import APIRouter

from shared.contracts.identity import Caller
from shared.contracts.matches import Match, MatchPage
from shared.http.cursors import Cursors
from svc_matching.api.connections import Cursor, Limit, Matching, MatchReader, PageCursors, Reading
from svc_matching.usecases.matches import (
    Page,
    Position,
    read_demand_matches,
    read_match,
    read_supply_matches,
)

router = APIRouter(prefix="/v1", tags=["matches"])


def _scope(side: str, resource_id: UUID, caller: Caller) -> str:
    return f"matches:{side}:{resource_id}:{caller.tenant}"


def _after(cursors: Cursors, cursor: str | None, scope: str) -> Position | None:
    if cursor is None:
        return None
    score, other = cursors.read(cursor, scope)
    return int(score), UUID(other)


def _page(page: Page, cursors: Cursors, scope: str) -> MatchPage:
    following = page.next and cursors.write([page.next[0], str(page.next[1])], scope)
    return MatchPage(items=page.items, pending=page.pending, next_cursor=following)


@router.get("/demands/{demand_id}/matches")
async def get_demand_matches(
    demand_id: UUID,
    caller: MatchReader,
    connection: Reading,
    matcher: Matching,
    cursors: PageCursors,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> MatchPage:
    """The best supplies for a demand, best first, each with its explanation.

    For the demand's owner, the DOST of its province and the operator. `pending` says that the
    demand has not been ranked yet.
    """
    scope = _scope("demand", demand_id, caller)
    after = _after(cursors, cursor, scope)
    page = await read_demand_matches(connection, matcher, caller, demand_id, limit, after)
    return _page(page, cursors, scope)


@router.get("/supplies/{supply_id}/matches")
async def get_supply_matches(
    supply_id: UUID,
    caller: MatchReader,
    connection: Reading,
    matcher: Matching,
    cursors: PageCursors,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> MatchPage:
    """The demands whose list a supply stands in, highest score first.

    For the supply's owner, as far as it may see the demands, and the operator.
    """
    scope = _scope("supply", supply_id, caller)
    after = _after(cursors, cursor, scope)
    page = await read_supply_matches(connection, matcher, caller, supply_id, limit, after)
    return _page(page, cursors, scope)


@router.get("/matches/{match_id}")
async def get_match(
    match_id: UUID, caller: MatchReader, connection: Reading, matcher: Matching
) -> Match:
    """One match with both sides. Its id stays while the pair leaves and enters the list."""
    return await read_match(connection, matcher, caller, match_id)
