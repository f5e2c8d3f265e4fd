"""What the routes read from a request beside their parameters."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller, Scope
from shared.http.auth import require_scope
from shared.http.cursors import Cursors
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.vocabularies import Catalogues


async def _connection(request: Request) -> AsyncIterator[AsyncConnection]:
    async with request.app.state.transactions.read() as connection:
        yield connection


async def _transactions(request: Request) -> MatchingTransactions:
    transactions: MatchingTransactions = request.app.state.transactions
    return transactions


async def _matcher(request: Request) -> Matcher:
    matcher: Matcher = request.app.state.transactions.matcher
    return matcher


async def _catalogues(request: Request) -> Catalogues:
    catalogues: Catalogues = request.app.state.catalogues
    return catalogues


async def _cursors(request: Request) -> Cursors:
    cursors: Cursors = request.app.state.cursors
    return cursors


Reading = Annotated[AsyncConnection, Depends(_connection)]
Moments = Annotated[MatchingTransactions, Depends(_transactions)]
Matching = Annotated[Matcher, Depends(_matcher)]
Words = Annotated[Catalogues, Depends(_catalogues)]
PageCursors = Annotated[Cursors, Depends(_cursors)]
MatchReader = Annotated[Caller, Depends(require_scope(Scope.MATCHES_READ))]
Limit = Annotated[int, Query(ge=1, le=100, description="Matches on a page.")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before.")]
