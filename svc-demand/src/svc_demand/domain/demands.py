"""What happens to a demand: each function returns the change, and writes nothing."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from shared.contracts.base import assemble
from shared.contracts.demands import Demand, DemandProfile, DemandStatus, DemandUpsert
from shared.contracts.identity import SYSTEM, Caller
from shared.contracts.lifecycles import Change, Step, Stored, move_refused
from shared.contracts.values import SourceRef
from shared.kernel.clock import vietnam_date
from shared.kernel.errors import ConflictError, FieldError, ForbiddenError, InvalidError
from svc_demand.domain.demand_lifecycle import (
    CHECKLIST,
    CLOSED,
    ENDED,
    FACTS,
    GUARDS,
    LIFECYCLE,
    LIVE,
    SILENT,
    Wish,
    has_passed,
    require_fit,
)
from svc_demand.domain.demand_policy import actors_of, require_own_province

_PROFILE_FIELDS = tuple(DemandProfile.model_fields)


def profile_of(demand: DemandProfile) -> DemandProfile:
    """Return what the demand says, without its identity and status."""
    values = demand.__dict__
    return assemble(DemandProfile, {name: values[name] for name in _PROFILE_FIELDS})


def create(
    profile: DemandProfile, *, new_id: UUID, caller: Caller, now: datetime
) -> Change[Demand]:
    """Begin a draft; it belongs to the caller's tenant."""
    require_own_province(caller, profile)
    return _change(None, profile, DemandStatus.DRAFT, [_birth(caller)], new_id, caller, now)


def edit(
    stored: Stored[Demand], profile: DemandProfile, *, caller: Caller, now: datetime
) -> Change[Demand] | None:
    """Replace what it says; None when nothing differs."""
    demand = stored.resource
    if demand.status in ENDED:
        raise ConflictError(
            "demand_not_editable",
            f"A demand that is {demand.status} is no longer edited.",
            f"Nhu cầu ở trạng thái {demand.status} không sửa được nữa.",
            extra={"current_status": demand.status},
        )
    require_own_province(caller, profile)
    if profile == profile_of(demand):
        return None
    require_fit(profile, demand.status)
    steps = _expiry(profile, demand.status, now)
    return _change(stored, profile, demand.status, steps, demand.id, caller, now)


def move(
    stored: Stored[Demand],
    to: str,
    *,
    reason: str | None,
    checklist: Mapping[str, bool] | None,
    caller: Caller,
    now: datetime,
) -> Change[Demand]:
    """Take one step of the life cycle; what is published past its date expires in the same go."""
    demand = stored.resource
    profile = profile_of(demand)
    step = LIFECYCLE.require(demand.status, to, actors_of(caller, demand))
    wish = Wish(profile=profile, today=vietnam_date(now), reason=reason, checklist=checklist)
    for guard in step.guards:
        GUARDS[guard](wish)
    steps = [_step(demand.status, to, caller, reason, checklist), *_expiry(profile, to, now)]
    return _change(stored, profile, demand.status, steps, demand.id, caller, now)


def expire(stored: Stored[Demand], *, now: datetime) -> Change[Demand]:
    """End what has passed its date."""
    return move(stored, DemandStatus.EXPIRED, reason=None, checklist=None, caller=SYSTEM, now=now)


def upsert(
    stored: Stored[Demand] | None,
    row: DemandUpsert,
    *,
    new_id: UUID,
    caller: Caller,
    recorded_as: str,
    now: datetime,
) -> Change[Demand] | None:
    """Bring the sender's demand to what the row says; None when it says nothing new.

    An operator's row may name a status: the demand walks there in one version. Every guard
    applies, but not the role; the row stands for the reason and for the check-list.
    """
    if row.status is not None and not caller.is_operator:
        raise _status_refused()
    profile = profile_of(row)
    require_own_province(caller, profile)
    steps = [] if stored else [_birth(caller, recorded_as)]
    here = stored.resource.status if stored else DemandStatus.DRAFT
    if here in CLOSED:
        raise _closed(here)
    wanted = row.status or here
    expires = wanted in LIVE and has_passed(profile, vietnam_date(now))
    settled = wanted == here or (expires and here is DemandStatus.EXPIRED)
    if stored and settled and profile == profile_of(stored.resource):
        return None
    if not settled:
        steps += _walk(profile, here, wanted, caller, recorded_as, now)
    else:
        require_fit(profile, here)
    if not (settled and here is DemandStatus.EXPIRED):
        steps += _expiry(profile, wanted, now)
    owned = stored.resource.id if stored else new_id
    return _change(stored, profile, here, steps, owned, caller, now)


def with_natural_key(row: DemandUpsert, system: str, ref: str) -> DemandUpsert:
    """Return the row under the key it was sent to; a contradiction is refused."""
    key = SourceRef(system=system, ref=ref)
    if row.source_ref is None:
        return row.model_copy(update={"source_ref": key})
    if row.source_ref != key:
        raise InvalidError(
            "source_ref_mismatch",
            "`source_ref` in the body is not the one in the address.",
            "`source_ref` trong nội dung khác với địa chỉ.",
            errors=(
                FieldError(
                    "/source_ref", "source_ref_mismatch", "Not the address", "Khác với địa chỉ."
                ),
            ),
        )
    return row


def key_of(row: DemandProfile) -> tuple[str, str] | None:
    """Return the key by which the sender's system knows the row, if it gave one."""
    return (row.source_ref.system, row.source_ref.ref) if row.source_ref else None


def natural_key(row: DemandProfile) -> tuple[str, str]:
    """Return the sender's key; refuse a row without one."""
    key = key_of(row)
    if key is None:
        raise InvalidError(
            "source_ref_required",
            "The row needs `source_ref` with `system` and `ref`.",
            "Dòng này cần `source_ref` gồm `system` và `ref`.",
            errors=(
                FieldError(
                    "/source_ref", "source_ref_required", "Field required", "Thiếu trường bắt buộc."
                ),
            ),
        )
    return key


def _walk(
    profile: DemandProfile,
    here: DemandStatus,
    wanted: DemandStatus,
    caller: Caller,
    recorded_as: str,
    now: datetime,
) -> list[Step]:
    way = LIFECYCLE.path(here, wanted)
    if way is None:
        raise move_refused(here, wanted, [s for s in DemandStatus if LIFECYCLE.path(here, s)])
    answers = dict.fromkeys(CHECKLIST, True)
    wish = Wish(profile=profile, today=vietnam_date(now), reason=recorded_as, checklist=answers)
    steps = []
    for leg in way:
        for guard in leg.guards:
            GUARDS[guard](wish)
        vouched = answers if "checklist" in leg.guards else None
        steps.append(_step(leg.source, leg.target, caller, recorded_as, vouched))
    return steps


def _expiry(profile: DemandProfile, status: str, now: datetime) -> list[Step]:
    if status in LIVE and has_passed(profile, vietnam_date(now)):
        return [_step(status, DemandStatus.EXPIRED, SYSTEM, None, None)]
    return []


def _birth(caller: Caller, reason: str | None = None) -> Step:
    return _step(None, DemandStatus.DRAFT, caller, reason, None)


def _step(
    source: str | None,
    target: str,
    caller: Caller,
    reason: str | None,
    checklist: Mapping[str, bool] | None,
) -> Step:
    role = "system" if caller is SYSTEM else caller.role
    return Step(
        source=source,
        target=target,
        actor=caller.client_id,
        role=role,
        reason=reason,
        checklist=checklist,
    )


def _change(
    stored: Stored[Demand] | None,
    profile: DemandProfile,
    status: DemandStatus,
    steps: list[Step],
    demand_id: UUID,
    caller: Caller,
    now: datetime,
) -> Change[Demand]:
    before = stored.resource if stored else None
    if steps:
        status = DemandStatus(steps[-1].target)
    identity = {
        "id": demand_id,
        "version": before.version + 1 if before else 1,
        "status": status,
        "owner": before.owner if before else caller.tenant,
        "created_at": before.created_at if before else now,
        "updated_at": now,
    }
    demand = assemble(Demand, profile.__dict__ | identity)
    announced = (stored is not None and stored.announced) or status not in SILENT
    fact = FACTS[status] if steps and status in FACTS else "updated"
    return Change(
        after=Stored(demand, announced),
        steps=tuple(steps),
        fact=fact if announced else None,
        created=stored is None,
    )


def _status_refused() -> ForbiddenError:
    return ForbiddenError(
        "status_by_operator_only",
        "Only an operator may send `status`; use the transitions instead.",
        "Chỉ cơ quan vận hành được gửi `status`; hãy dùng transitions.",
        errors=(
            FieldError("/status", "status_by_operator_only", "Not allowed", "Không được phép."),
        ),
    )


def _closed(status: DemandStatus) -> ConflictError:
    return ConflictError(
        "demand_closed",
        f"The demand is {status}; it is no longer updated by its reference.",
        f"Nhu cầu đã ở trạng thái {status}, không cập nhật theo mã tham chiếu được nữa.",
        extra={"current_status": status},
    )
