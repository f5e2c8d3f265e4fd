"""Read diagnoses: the stored code and figures, with remedies and words made on reading."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller
from shared.contracts.matches import Diagnosis, DiagnosisCode, NearMiss, Reason
from svc_matching.domain.diagnoses import diagnosis_text, remedies
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.domain.matches import require_demand_side
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items


async def read_diagnosis(connection: AsyncConnection, caller: Caller, demand_id: UUID) -> Diagnosis:
    """Return what stands in a demand's way; empty and not pending when it is open no longer."""
    demand = require_demand_side(
        caller, await items.read_item(connection, demand_id, ItemKind.DEMAND)
    )
    state = (await diagnoses.read_states(connection, [demand_id])).get(demand_id)
    if demand.status != OPEN or state is None or state.diagnosis is None:
        return Diagnosis(
            demand_id=demand_id,
            diagnosis=None,
            pending=demand.status == OPEN,
            demand_version=demand.version,
        )
    found = (await diagnoses.read_near_misses(connection, [demand_id])).get(demand_id, [])
    near_misses = [
        NearMiss(
            supply_id=row.supply_id,
            relevance=row.relevance / MILLION,
            reasons=[Reason.model_validate(figure) for figure in row.figures],
        )
        for row in found
    ]
    code = DiagnosisCode(state.diagnosis)
    return Diagnosis(
        demand_id=demand_id,
        diagnosis=code,
        demand_version=state.demand_version,
        near_misses=near_misses,
        remedies=remedies(code, near_misses),
        text=diagnosis_text(code, near_misses),
    )
