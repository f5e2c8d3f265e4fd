"""What this service's routes get handed in."""

from typing import Annotated

from fastapi import Depends, Request

from shared.contracts.base import Line64, Line128
from shared.contracts.identity import Caller, Scope
from shared.http.auth import require_scope
from shared.http.preconditions import optional_version, required_version
from shared.outbox import Transactions


async def _transactions(request: Request) -> Transactions:
    transactions: Transactions = request.app.state.transactions
    return transactions


Store = Annotated[Transactions, Depends(_transactions)]
Writer = Annotated[Caller, Depends(require_scope(Scope.DEMANDS_WRITE))]
Version = Annotated[int, Depends(required_version)]
OptionalVersion = Annotated[int | None, Depends(optional_version)]
System = Line64
Ref = Line128
