"""The state of the index, for operations staff."""

from fastapi import APIRouter
from pydantic import Field

from shared.contracts.base import Contract
from shared.http.auth import KnownCaller
from svc_matching.api.connections import Reading
from svc_matching.usecases.epochs import read_matching_state

router = APIRouter(prefix="/v1", tags=["operations"])


class MatchingState(Contract):
    """Counts of the index."""

    open_demands: int
    live_supplies: int
    index_epoch: int = Field(description="Grows whenever the statistics are frozen anew.")
    pending: int = Field(description="Open demands that wait to be ranked in this epoch.")


@router.get("/matching/state")
async def get_matching_state(caller: KnownCaller, connection: Reading) -> MatchingState:
    """How much is matched, and how much still waits. For the roles `ops` and `operator`."""
    return MatchingState(**await read_matching_state(connection, caller))
