"""What stands in the way of a demand."""

from uuid import UUID

from fastapi import APIRouter

from shared.contracts.matches import Diagnosis
from svc_matching.api.connections import MatchReader, Reading
from svc_matching.usecases.diagnoses import read_diagnosis

router = APIRouter(prefix="/v1", tags=["matches"])


@router.get("/demands/{demand_id}/diagnosis")
async def get_demand_diagnosis(
    demand_id: UUID, caller: MatchReader, connection: Reading
) -> Diagnosis:
    """MATCHED, NO_SUPPLY, MISMATCH or NO_RESOURCES, with near misses and remedies."""
    return await read_diagnosis(connection, caller, demand_id)
