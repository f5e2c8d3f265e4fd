"""Read diagnoses: the stored code and figures, with remedies and words made on reading."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.matches import Diagnosis, DiagnosisCode, NearMiss
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from svc_matching.domain.diagnoses import diagnosis_text, in_order, remedies
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.domain.matches import require_demand_side
from svc_matching.engine.pairs import Pair
from svc_matching.engine.reasons import reasons_between
from svc_matching.engine.weights import MILLION
from svc_matching.storage import diagnoses, items
from svc_matching.storage.diagnoses import Miss
from svc_matching.storage.items import Copy


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
    copies = await items.read_copies(connection, [demand_id, *(miss.supply_id for miss in found)])
    wanted = DemandProfile.model_validate_json(copies[demand_id].profile)
    same = state.demand_version == demand.version
    near_misses = [
        near_miss_of(miss, wanted, copy, unchanged=same and copy.version == miss.supply_version)
        for miss, copy in ((miss, copies[miss.supply_id]) for miss in found)
    ]
    code = DiagnosisCode(state.diagnosis)
    near_misses = in_order(code, near_misses)
    return Diagnosis(
        demand_id=demand_id,
        diagnosis=code,
        demand_version=state.demand_version,
        near_misses=near_misses,
        remedies=remedies(code, near_misses),
        text=diagnosis_text(code, near_misses),
    )


def near_miss_of(
    miss: Miss | Pair, wanted: DemandProfile, copy: Copy, *, unchanged: bool
) -> NearMiss:
    """Return a near miss, with figures if both sides are those that were compared."""
    return NearMiss(
        supply_id=miss.supply_id,
        relevance=miss.relevance / MILLION,
        reasons=reasons_between(
            miss.reasons,
            wanted,
            SupplyProfile.model_validate_json(copy.profile),
            SupplyStatus(copy.status),
            unchanged=unchanged,
        ),
    )
