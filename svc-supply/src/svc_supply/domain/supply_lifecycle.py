"""The life cycle of a supply as data: who may move it where, and what the move needs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from shared.contracts.lifecycles import Actor, Lifecycle, moves
from shared.contracts.supplies import LegalList, SupplyProfile
from shared.contracts.supplies import SupplyStatus as S
from shared.kernel.errors import ConflictError, FieldError, InvalidError

OWNER, OPERATOR, SYSTEM = Actor.OWNER, Actor.OPERATOR, Actor.SYSTEM
_HOLDERS = (OWNER, OPERATOR)

LIFECYCLE = Lifecycle(
    moves([S.DRAFT, S.RETURNED], [S.SUBMITTED], _HOLDERS, "complete"),
    moves([S.SUBMITTED], [S.UNDER_VALIDATION], [OPERATOR]),
    moves([S.UNDER_VALIDATION], [S.RETURNED, S.REJECTED], [OPERATOR], "reason"),
    moves([S.UNDER_VALIDATION], [S.PUBLISHED], [OPERATOR], "complete", "not_prohibited"),
    moves([S.PUBLISHED], [S.ON_HOLD], _HOLDERS, "reason"),
    moves([S.ON_HOLD], [S.PUBLISHED], _HOLDERS, "reason", "not_prohibited"),
    moves([S.PUBLISHED], [S.FLAGGED], [OPERATOR, SYSTEM], "reason"),
    moves([S.FLAGGED], [S.PUBLISHED], [OPERATOR], "reason", "not_prohibited"),
    moves([S.FLAGGED], [S.WITHDRAWN], [OPERATOR], "reason"),
    moves([S.PUBLISHED, S.ON_HOLD], [S.EXPIRED], [SYSTEM], "date_passed"),
    moves([S.EXPIRED], [S.PUBLISHED], _HOLDERS, "new_date", "not_prohibited"),
    moves([S.PUBLISHED, S.ON_HOLD], [S.TRANSFERRED_EXCLUSIVELY], [OWNER, OPERATOR, SYSTEM]),
    moves(
        [S.DRAFT, S.SUBMITTED, S.UNDER_VALIDATION, S.RETURNED, S.PUBLISHED, S.ON_HOLD],
        [S.WITHDRAWN],
        _HOLDERS,
        "reason",
    ),
    moves(
        [S.REJECTED, S.EXPIRED, S.WITHDRAWN, S.TRANSFERRED_EXCLUSIVELY],
        [S.ARCHIVED],
        [OPERATOR, SYSTEM],
    ),
    plainest=S.WITHDRAWN,
)

LIVE = frozenset({S.PUBLISHED, S.ON_HOLD})
"""What expires when its date is over."""
UNSENT = frozenset({S.DRAFT, S.RETURNED, S.WITHDRAWN, S.ARCHIVED})
"""What may be incomplete: it is still on the owner's desk, or never left it."""
CLOSED = frozenset({S.REJECTED, S.WITHDRAWN, S.ARCHIVED})
"""What the sender's system can no longer change."""
ENDED = CLOSED | {S.TRANSFERRED_EXCLUSIVELY}
"""What nobody edits."""
SILENT = frozenset({S.DRAFT, S.WITHDRAWN, S.ARCHIVED})
"""What nobody hears of, unless it was announced before."""

FACTS: dict[S, str] = {
    S.SUBMITTED: "submitted",
    S.UNDER_VALIDATION: "under_validation",
    S.RETURNED: "returned",
    S.REJECTED: "rejected",
    S.PUBLISHED: "published",
    S.ON_HOLD: "held",
    S.FLAGGED: "flagged",
    S.EXPIRED: "expired",
    S.WITHDRAWN: "withdrawn",
    S.TRANSFERRED_EXCLUSIVELY: "transferred_exclusively",
    S.ARCHIVED: "archived",
}
"""The event that tells of reaching a status."""

_REQUIRED = ("title", "description", "language", "kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a guard may look at."""

    profile: SupplyProfile
    today: date
    reason: str | None = None


def has_passed(profile: SupplyProfile, today: date) -> bool:
    """True when the last day it is available is over (in Vietnam)."""
    return profile.available_until is not None and profile.available_until < today


def _require_complete(profile: SupplyProfile) -> None:
    """Refuse what may not leave the desk of its owner yet, and name what is missing."""
    missing = [name for name in _REQUIRED if not getattr(profile, name)]
    if missing:
        raise InvalidError(
            "supply_incomplete",
            f"Before it is submitted, a supply needs: {', '.join(missing)}.",
            f"Trước khi gửi, nguồn cung cần có: {', '.join(missing)}.",
            errors=tuple(
                FieldError(f"/{name}", "missing", "Field required", "Thiếu trường bắt buộc.")
                for name in missing
            ),
        )


def require_fit(profile: SupplyProfile, status: S) -> None:
    """Refuse content that a supply of this status may not have."""
    if status not in UNSENT:
        _require_complete(profile)
    if status is S.PUBLISHED:
        _require_allowed(profile)


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


def _require_allowed(profile: SupplyProfile) -> None:
    """Refuse to publish what the law on technology transfer prohibits."""
    if profile.legal_list is LegalList.PROHIBITED:
        raise InvalidError(
            "supply_prohibited",
            "A technology on the PROHIBITED list is never published.",
            "Công nghệ thuộc danh mục cấm chuyển giao không được công bố.",
            errors=(FieldError("/legal_list", "prohibited", "Prohibited", "Thuộc danh mục cấm."),),
        )


def _not_prohibited(wish: Wish) -> None:
    _require_allowed(wish.profile)


def _date_passed(wish: Wish) -> None:
    if not has_passed(wish.profile, wish.today):
        raise ConflictError(
            "date_not_passed",
            "`available_until` has not passed, so the supply has not expired.",
            "`available_until` chưa qua nên nguồn cung chưa hết hạn.",
        )


def _new_date(wish: Wish) -> None:
    if has_passed(wish.profile, wish.today):
        raise ConflictError(
            "new_date_required",
            "Set a new `available_until` first: the present one has passed.",
            "Hãy đặt `available_until` mới: ngày hiện tại đã qua.",
            errors=(
                FieldError(
                    "/available_until", "date_passed", "The date has passed", "Ngày này đã qua."
                ),
            ),
        )


GUARDS: dict[str, Callable[[Wish], None]] = {
    "complete": _complete,
    "reason": _reason,
    "not_prohibited": _not_prohibited,
    "date_passed": _date_passed,
    "new_date": _new_date,
}
