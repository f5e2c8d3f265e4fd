"""What happens to a supply: each function returns the change, and writes nothing."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from shared.contracts.base import assemble, digest_of
from shared.contracts.identity import SYSTEM, Caller
from shared.contracts.lifecycles import Change, Move, Standing, Step, Stored, move_refused
from shared.contracts.supplies import (
    Supply,
    SupplyProfile,
    SupplySource,
    SupplyStatus,
    SupplyUpsert,
)
from shared.kernel.clock import vietnam_date
from shared.kernel.errors import ConflictError, FieldError, ForbiddenError, InvalidError
from svc_supply.domain.supply_lifecycle import (
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
from svc_supply.domain.supply_policy import actors_of

_PROFILE_FIELDS = tuple(SupplyProfile.model_fields)
_NOT_SAID = {"status"}


def profile_of(supply: SupplyProfile) -> SupplyProfile:
    """Return what the supply says, without its identity and status."""
    values = supply.__dict__
    return assemble(SupplyProfile, {name: values[name] for name in _PROFILE_FIELDS})


def create(
    profile: SupplyProfile, *, new_id: UUID, caller: Caller, now: datetime
) -> Change[Supply]:
    """Begin a draft; it belongs to the caller's tenant."""
    return _change(None, profile, SupplyStatus.DRAFT, [_birth(caller)], new_id, caller, now)


def edit(
    stored: Stored[Supply], profile: SupplyProfile, *, caller: Caller, now: datetime
) -> Change[Supply] | None:
    """Replace what it says; None when nothing differs."""
    supply = stored.resource
    if supply.status in ENDED:
        raise ConflictError(
            "supply_not_editable",
            f"A supply that is {supply.status} is no longer edited.",
            f"Nguồn cung ở trạng thái {supply.status} không sửa được nữa.",
            extra={"current_status": supply.status},
        )
    if profile == profile_of(supply):
        return None
    require_fit(profile, supply.status)
    steps = _expiry(profile, supply.status, now)
    before = standing(stored)
    return _change(before, profile, supply.status, steps, supply.id, caller, now)


def move(
    stored: Stored[Supply],
    to: str,
    *,
    reason: str | None,
    caller: Caller,
    now: datetime,
) -> Change[Supply]:
    """Take one step of the life cycle; what is published past its date expires in the same go."""
    supply = stored.resource
    profile = profile_of(supply)
    step = LIFECYCLE.require(supply.status, to, actors_of(caller, supply))
    wish = Wish(profile=profile, today=vietnam_date(now), reason=reason)
    for guard in step.guards:
        GUARDS[guard](wish)
    steps = [_step(supply.status, to, caller, reason), *_expiry(profile, to, now)]
    before = standing(stored)
    return _change(before, profile, supply.status, steps, supply.id, caller, now)


def expire(stored: Stored[Supply], *, now: datetime) -> Change[Supply]:
    """End what has passed its date."""
    return move(stored, SupplyStatus.EXPIRED, reason=None, caller=SYSTEM, now=now)


def upsert(
    known: Standing | None,
    row: SupplyUpsert,
    *,
    new_id: UUID,
    caller: Caller,
    recorded_as: str,
    now: datetime,
) -> Change[Supply] | None:
    """Bring the sender's supply to what the row says; None when it says nothing new.

    An operator's row may name a status: the supply walks there in one version. Every guard
    applies, but not the role; the row stands for the reason.
    """
    if row.status is not None and not caller.is_operator:
        raise _status_refused()
    born = known is None
    here = SupplyStatus(known.status) if known else SupplyStatus.DRAFT
    if here in CLOSED:
        raise _closed(here)
    wanted = row.status or here
    expires = wanted in LIVE and has_passed(row, vietnam_date(now))
    settled = wanted == here or (expires and here is SupplyStatus.EXPIRED)
    digest = digest_of(row, without=_NOT_SAID)
    if known and settled and digest == known.digest:
        return None
    if settled:
        steps = _steps(born, (), caller, recorded_as)
    else:
        steps = _walk(born, row, here, wanted, caller, recorded_as, now)
    require_fit(row, here if settled else wanted)
    if expires and not (settled and here is SupplyStatus.EXPIRED):
        steps = (*steps, _expired(wanted))
    owned = known.id if known else new_id
    return _change(known, row, here, steps, owned, caller, now, digest=digest)


def with_natural_key(row: SupplyUpsert, system: str, ref: str) -> SupplyUpsert:
    """Return the row under the key it was sent to; a contradiction is refused."""
    source = row.source or SupplySource()
    if (source.system or system, source.ref or ref) != (system, ref):
        raise InvalidError(
            "source_ref_mismatch",
            "`source` in the body names another key than the address.",
            "`source` trong nội dung ghi mã khác với địa chỉ.",
            errors=(
                FieldError(
                    "/source", "source_ref_mismatch", "Not the address", "Khác với địa chỉ."
                ),
            ),
        )
    keyed = source.model_copy(update={"system": system, "ref": ref})
    return row.model_copy(update={"source": keyed})


def key_of(row: SupplyProfile) -> tuple[str, str] | None:
    """Return the key by which the sender's system knows the row, if it gave one."""
    if row.source is None or row.source.system is None or row.source.ref is None:
        return None
    return row.source.system, row.source.ref


def natural_key(row: SupplyProfile) -> tuple[str, str]:
    """Return the sender's key; refuse a row without one."""
    key = key_of(row)
    if key is None:
        raise InvalidError(
            "source_ref_required",
            "The row needs `source` with `system` and `ref`.",
            "Dòng này cần `source` gồm `system` và `ref`.",
            errors=(
                FieldError(
                    "/source", "source_ref_required", "Field required", "Thiếu trường bắt buộc."
                ),
            ),
        )
    return key


def _walk(
    born: bool,
    profile: SupplyProfile,
    here: SupplyStatus,
    wanted: SupplyStatus,
    caller: Caller,
    recorded_as: str,
    now: datetime,
) -> tuple[Step, ...]:
    way = LIFECYCLE.path(here, wanted)
    if way is None:
        raise move_refused(here, wanted, [s for s in SupplyStatus if LIFECYCLE.path(here, s)])
    wish = Wish(profile=profile, today=vietnam_date(now), reason=recorded_as)
    for leg in way:
        for guard in leg.guards:
            GUARDS[guard](wish)
    return _steps(born, way, caller, recorded_as)


@lru_cache(maxsize=256)
def _steps(born: bool, way: tuple[Move, ...], caller: Caller, recorded_as: str) -> tuple[Step, ...]:
    """The rows of a file go the same few ways, and share the steps."""
    legs = (_step(leg.source, leg.target, caller, recorded_as) for leg in way)
    return (_birth(caller, recorded_as), *legs) if born else tuple(legs)


def _expiry(profile: SupplyProfile, status: str, now: datetime) -> list[Step]:
    if status in LIVE and has_passed(profile, vietnam_date(now)):
        return [_expired(status)]
    return []


def _expired(status: str) -> Step:
    return _step(status, SupplyStatus.EXPIRED, SYSTEM, None)


def _birth(caller: Caller, reason: str | None = None) -> Step:
    return _step(None, SupplyStatus.DRAFT, caller, reason)


def _step(
    source: str | None,
    target: str,
    caller: Caller,
    reason: str | None,
) -> Step:
    role = "system" if caller is SYSTEM else caller.role
    return Step(
        source=source,
        target=target,
        actor=caller.client_id,
        role=role,
        reason=reason,
    )


def standing(stored: Stored[Supply]) -> Standing:
    supply = stored.resource
    return Standing(
        id=supply.id,
        version=supply.version,
        status=supply.status,
        owner=supply.owner,
        created_at=supply.created_at,
        announced=stored.announced,
        digest=digest_of(profile_of(supply)),
    )


def _change(
    before: Standing | None,
    profile: SupplyProfile,
    status: SupplyStatus,
    steps: Sequence[Step],
    supply_id: UUID,
    caller: Caller,
    now: datetime,
    *,
    digest: bytes | None = None,
) -> Change[Supply]:
    if steps:
        status = SupplyStatus(steps[-1].target)
    identity = {
        "id": supply_id,
        "version": before.version + 1 if before else 1,
        "status": status,
        "owner": before.owner if before else caller.tenant,
        "created_at": before.created_at if before else now,
        "updated_at": now,
    }
    supply = assemble(Supply, profile.__dict__ | identity)
    announced = (before is not None and before.announced) or status not in SILENT
    fact = FACTS[status] if steps and status in FACTS else "updated"
    return Change(
        after=Stored(supply, announced),
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


def _closed(status: SupplyStatus) -> ConflictError:
    return ConflictError(
        "supply_closed",
        f"The supply is {status}; it is no longer updated by its reference.",
        f"Nguồn cung đã ở trạng thái {status}, không cập nhật theo mã tham chiếu được nữa.",
        extra={"current_status": status},
    )
