"""What happens to a demand: each function returns the change, and writes nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from shared.contracts.base import assemble, digest_of
from shared.contracts.demands import Demand, DemandProfile, DemandStatus, DemandUpsert
from shared.contracts.identity import SYSTEM, Caller
from shared.contracts.lifecycles import Change, Move, Standing, Step, Stored, move_refused
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
from svc_demand.domain.demand_policy import (
    actors_of,
    require_own_key,
    require_own_province,
)

_PROFILE_FIELDS = tuple(DemandProfile.model_fields)
_NOT_SAID = {"status"}


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
    require_own_key(caller, demand, profile)
    if profile == profile_of(demand):
        return None
    require_fit(profile, demand.status)
    steps = _expiry(profile, demand.status, now)
    before = standing(stored)
    return _change(before, profile, demand.status, steps, demand.id, caller, now)


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
    before = standing(stored)
    return _change(before, profile, demand.status, steps, demand.id, caller, now)


def expire(stored: Stored[Demand], *, now: datetime) -> Change[Demand]:
    """End what has passed its date."""
    return move(stored, DemandStatus.EXPIRED, reason=None, checklist=None, caller=SYSTEM, now=now)


def upsert(
    known: Standing | None,
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
    require_own_province(caller, row)
    born = known is None
    here = DemandStatus(known.status) if known else DemandStatus.DRAFT
    if here in CLOSED:
        raise _closed(here)
    wanted = row.status or here
    expires = wanted in LIVE and has_passed(row, vietnam_date(now))
    settled = wanted == here or (expires and here is DemandStatus.EXPIRED)
    digest = digest_of(row, without=_NOT_SAID)
    if known and settled and digest == known.digest:
        return None
    if settled:
        steps = _steps(born, (), caller, recorded_as)
    else:
        steps = _walk(born, row, here, wanted, caller, recorded_as, now)
    require_fit(row, here if settled else wanted)
    if expires and not (settled and here is DemandStatus.EXPIRED):
        steps = (*steps, _expired(wanted))
    owned = known.id if known else new_id
    return _change(known, row, here, steps, owned, caller, now, digest=digest)


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
    born: bool,
    profile: DemandProfile,
    here: DemandStatus,
    wanted: DemandStatus,
    caller: Caller,
    recorded_as: str,
    now: datetime,
) -> tuple[Step, ...]:
    way = LIFECYCLE.path(here, wanted)
    if way is None:
        raise move_refused(here, wanted, [s for s in DemandStatus if LIFECYCLE.path(here, s)])
    answers = dict.fromkeys(CHECKLIST, True)
    wish = Wish(profile=profile, today=vietnam_date(now), reason=recorded_as, checklist=answers)
    for leg in way:
        for guard in leg.guards:
            GUARDS[guard](wish)
    return _steps(born, way, caller, recorded_as)


@lru_cache(maxsize=256)
def _steps(born: bool, way: tuple[Move, ...], caller: Caller, recorded_as: str) -> tuple[Step, ...]:
    """The rows of a file go the same few ways, and share the steps."""
    answers = dict.fromkeys(CHECKLIST, True)
    legs = (
        _step(
            leg.source,
            leg.target,
            caller,
            recorded_as,
            answers if "checklist" in leg.guards else None,
        )
        for leg in way
    )
    return (_birth(caller, recorded_as), *legs) if born else tuple(legs)


def _expiry(profile: DemandProfile, status: str, now: datetime) -> list[Step]:
    if status in LIVE and has_passed(profile, vietnam_date(now)):
        return [_expired(status)]
    return []


def _expired(status: str) -> Step:
    return _step(status, DemandStatus.EXPIRED, SYSTEM, None, None)


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


def standing(stored: Stored[Demand]) -> Standing:
    demand = stored.resource
    return Standing(
        id=demand.id,
        version=demand.version,
        status=demand.status,
        owner=demand.owner,
        created_at=demand.created_at,
        announced=stored.announced,
        digest=digest_of(profile_of(demand)),
    )


def _change(
    before: Standing | None,
    profile: DemandProfile,
    status: DemandStatus,
    steps: Sequence[Step],
    demand_id: UUID,
    caller: Caller,
    now: datetime,
    *,
    digest: bytes | None = None,
) -> Change[Demand]:
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
    announced = (before is not None and before.announced) or status not in SILENT
    fact = FACTS[status] if steps and status in FACTS else "updated"
    return Change(
        after=Stored(demand, announced),
        steps=tuple(steps),
        fact=fact if announced else None,
        created=before is None,
        digest=digest_of(profile) if digest is None else digest,
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
