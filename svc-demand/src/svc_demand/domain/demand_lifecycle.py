"""The life cycle of a demand as data: who may move it where, and what the move needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from shared.contracts.demands import DemandProfile
from shared.contracts.demands import DemandStatus as S
from shared.contracts.lifecycles import Actor, Lifecycle, moves
from shared.kernel.errors import ConflictError, FieldError, InvalidError

OWNER, DOST, OPERATOR, SYSTEM = Actor.OWNER, Actor.DOST, Actor.OPERATOR, Actor.SYSTEM
_SENDERS = (OWNER, DOST, OPERATOR)
_REVIEWERS = (DOST, OPERATOR)

LIFECYCLE = Lifecycle(
    moves([S.DRAFT, S.RETURNED], [S.SUBMITTED], _SENDERS, "complete"),
    moves([S.SUBMITTED], [S.UNDER_REVIEW], _REVIEWERS),
    moves([S.UNDER_REVIEW], [S.RETURNED, S.REJECTED], _REVIEWERS, "reason"),
    moves([S.UNDER_REVIEW], [S.VERIFIED], _REVIEWERS, "checklist"),
    moves([S.VERIFIED], [S.FORWARDED], _REVIEWERS),
    moves([S.FORWARDED], [S.PUBLISHED], [OPERATOR]),
    moves([S.FORWARDED], [S.RETURNED], [OPERATOR], "reason"),
    moves([S.PUBLISHED], [S.ON_HOLD], _SENDERS, "reason"),
    moves([S.ON_HOLD], [S.PUBLISHED], _SENDERS, "reason"),
    moves([S.PUBLISHED, S.ON_HOLD], [S.FULFILLED], [OWNER, OPERATOR, SYSTEM]),
    moves([S.PUBLISHED, S.ON_HOLD], [S.EXPIRED], [SYSTEM], "date_passed"),
    moves([S.EXPIRED], [S.PUBLISHED], _SENDERS, "new_date"),
    moves(
        [
            S.DRAFT,
            S.SUBMITTED,
            S.UNDER_REVIEW,
            S.RETURNED,
            S.VERIFIED,
            S.FORWARDED,
            S.PUBLISHED,
            S.ON_HOLD,
        ],
        [S.WITHDRAWN],
        [OWNER, OPERATOR],
        "reason",
    ),
    moves([S.REJECTED, S.FULFILLED, S.WITHDRAWN, S.EXPIRED], [S.ARCHIVED], [OPERATOR, SYSTEM]),
    plainest=S.WITHDRAWN,
)

LIVE = frozenset({S.PUBLISHED, S.ON_HOLD})
"""What expires when its date is over."""
UNSENT = frozenset({S.DRAFT, S.RETURNED, S.WITHDRAWN, S.ARCHIVED})
"""What may be incomplete: it is still on the owner's desk, or never left it."""
CLOSED = frozenset({S.REJECTED, S.WITHDRAWN, S.ARCHIVED})
"""What the sender's system can no longer change."""
ENDED = CLOSED | {S.FULFILLED}
"""What nobody edits."""
SILENT = frozenset({S.DRAFT, S.WITHDRAWN, S.ARCHIVED})
"""What nobody hears of, unless it was announced before."""

FACTS: dict[S, str] = {
    S.SUBMITTED: "submitted",
    S.UNDER_REVIEW: "under_review",
    S.RETURNED: "returned",
    S.REJECTED: "rejected",
    S.VERIFIED: "verified",
    S.FORWARDED: "forwarded",
    S.PUBLISHED: "published",
    S.ON_HOLD: "held",
    S.FULFILLED: "fulfilled",
    S.EXPIRED: "expired",
    S.WITHDRAWN: "withdrawn",
    S.ARCHIVED: "archived",
}
"""The event that tells of reaching a status."""

CHECKLIST = ("evidence_seen", "losses_stated", "investment_decided", "absorption_assessed")
"""What a reviewer answers before a demand counts as «thực sự cần thiết»."""

_REQUIRED = ("title", "description", "language", "kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a guard may look at."""

    profile: DemandProfile
    today: date
    reason: str | None = None
    checklist: Mapping[str, bool] | None = None


def has_passed(profile: DemandProfile, today: date) -> bool:
    """True when the day it is needed by is over (in Vietnam)."""
    return profile.needed_by is not None and profile.needed_by < today


def _require_complete(profile: DemandProfile) -> None:
    """Refuse what may not leave the desk of its owner yet, and name what is missing."""
    missing = [name for name in _REQUIRED if not getattr(profile, name)]
    if missing:
        raise InvalidError(
            "demand_incomplete",
            f"Before it is submitted, a demand needs: {', '.join(missing)}.",
            f"Trước khi gửi, nhu cầu cần có: {', '.join(missing)}.",
            errors=tuple(
                FieldError(f"/{name}", "missing", "Field required", "Thiếu trường bắt buộc.")
                for name in missing
            ),
        )


def require_fit(profile: DemandProfile, status: S) -> None:
    """Refuse content that a demand of this status may not have."""
    if status not in UNSENT:
        _require_complete(profile)


def _complete(wish: Wish) -> None:
    _require_complete(wish.profile)


def _reason(wish: Wish) -> None:
    if not wish.reason:
        raise InvalidError(
            "reason_required",
            "This move needs a reason.",
            "Bước chuyển này cần nêu lý do.",
            errors=(FieldError("/reason", "missing", "Field required", "Thiếu trường bắt buộc."),),
        )


def _checklist(wish: Wish) -> None:
    open_items = [item for item in CHECKLIST if item not in (wish.checklist or {})]
    if open_items:
        raise InvalidError(
            "checklist_open",
            f"Answer the whole check-list first; open: {', '.join(open_items)}.",
            f"Hãy trả lời hết bảng kiểm; còn thiếu: {', '.join(open_items)}.",
            errors=tuple(
                FieldError(f"/checklist/{item}", "missing", "Not answered", "Chưa trả lời.")
                for item in open_items
            ),
        )


def _date_passed(wish: Wish) -> None:
    if not has_passed(wish.profile, wish.today):
        raise ConflictError(
            "date_not_passed",
            "`needed_by` has not passed, so the demand has not expired.",
            "`needed_by` chưa qua nên nhu cầu chưa hết hạn.",
        )


def _new_date(wish: Wish) -> None:
    if has_passed(wish.profile, wish.today):
        raise ConflictError(
            "new_date_required",
            "Set a new `needed_by` first: the present one has passed.",
            "Hãy đặt `needed_by` mới: ngày hiện tại đã qua.",
            errors=(
                FieldError("/needed_by", "date_passed", "The date has passed", "Ngày này đã qua."),
            ),
        )


GUARDS: dict[str, Callable[[Wish], None]] = {
    "complete": _complete,
    "reason": _reason,
    "checklist": _checklist,
    "date_passed": _date_passed,
    "new_date": _new_date,
}
