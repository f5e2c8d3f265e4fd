"""What stands in the way of a demand: the report's triad, with the cheapest way out of each.

«Nơi cần không có, nơi có không đúng, nơi trúng thì không đủ nguồn lực.»
"""

from collections import Counter
from collections.abc import Sequence

from shared.contracts.matches import (
    BilingualText,
    DiagnosisCode,
    DiagnosisRemedy,
    NearMiss,
    ReasonCode,
)
from svc_matching.domain.words import REASON_WORDS

RESOURCES = frozenset({ReasonCode.BUDGET_SHORT, ReasonCode.ABSORPTION_SHORT})

_REMEDIES: dict[ReasonCode, tuple[str, ...]] = {
    ReasonCode.EXPIRED: ("ASK_RENEWAL",),
    ReasonCode.ON_HOLD: ("ASK_OWNER",),
    ReasonCode.LEGAL_RESTRICTED: ("TRANSFER_PERMIT",),
    ReasonCode.EXCLUDED_COUNTRY: ("WIDER_COUNTRIES",),
    ReasonCode.USED_NOT_ACCEPTED: ("ACCEPT_USED", "SEARCH_ORDER"),
    ReasonCode.USED_TOO_OLD: ("NEWER_EQUIPMENT",),
    ReasonCode.TRL_LOW: ("JOINT_DEVELOPMENT",),
    ReasonCode.RIGHT_MISMATCH: ("NEGOTIATE_TERMS",),
    ReasonCode.EXCLUSIVITY_MISMATCH: ("NEGOTIATE_TERMS",),
    ReasonCode.SCOPE_MISMATCH: ("PARTIAL_TRANSFER",),
    ReasonCode.SPEC_FAILS: ("ADAPTATION", "SEARCH_ORDER"),
    ReasonCode.BUDGET_SHORT: ("PARTIAL_TRANSFER", "HIGHER_BUDGET"),
    ReasonCode.ABSORPTION_SHORT: ("TRAINING", "PARTIAL_TRANSFER"),
}

_OPENING = {
    DiagnosisCode.MATCHED: (
        "Đã có nguồn cung phù hợp, không vướng điều kiện nào.",
        "There is a suitable supply with nothing in its way.",
    ),
    DiagnosisCode.NO_SUPPLY: (
        "Chưa có nguồn cung nào đủ liên quan đến nhu cầu này; nên đặt hàng tìm kiếm.",
        "No supply is relevant enough to this demand yet; a search order is the way.",
    ),
    DiagnosisCode.MISMATCH: (
        "Có nguồn cung liên quan nhưng không nguồn nào đáp ứng đúng điều kiện.",
        "There are relevant supplies, but each fails a condition.",
    ),
    DiagnosisCode.NO_RESOURCES: (
        "Có nguồn cung đúng nhu cầu nhưng bên cầu chưa đủ tiền hoặc năng lực tiếp nhận.",
        "The right supply exists, but money or the capacity to take it in is short.",
    ),
}


def decide(*, matched: bool, misses: Sequence[Sequence[ReasonCode]]) -> DiagnosisCode:
    """Name what stands in the way, from the reasons of the relevant supplies that do not serve."""
    if matched:
        return DiagnosisCode.MATCHED
    if not misses:
        return DiagnosisCode.NO_SUPPLY
    if any(RESOURCES.issuperset(reasons) for reasons in misses):
        return DiagnosisCode.NO_RESOURCES
    return DiagnosisCode.MISMATCH


def leading_reasons(
    code: DiagnosisCode, misses: Sequence[Sequence[ReasonCode]]
) -> list[ReasonCode]:
    """Return the reasons behind the diagnosis, the most frequent first.

    Under NO_RESOURCES only the supplies that are blocked by nothing else count.
    """
    if code is DiagnosisCode.MATCHED:
        return []
    counted = Counter(
        reason
        for reasons in misses
        if code is not DiagnosisCode.NO_RESOURCES or RESOURCES.issuperset(reasons)
        for reason in reasons
    )
    order = list(ReasonCode)
    return sorted(counted, key=lambda reason: (-counted[reason], order.index(reason)))


def remedies(code: DiagnosisCode, near_misses: Sequence[NearMiss]) -> list[DiagnosisRemedy]:
    """Return the ways out, for the most frequent reason first, each kind once per reason."""
    if code is DiagnosisCode.MATCHED:
        return []
    if code is DiagnosisCode.NO_SUPPLY:
        return [_remedy("SEARCH_ORDER", code)]
    reasons = leading_reasons(code, [codes_of(miss) for miss in near_misses])
    return [
        _remedy(kind, reason, _detail(kind, reason, near_misses))
        for reason in reasons
        for kind in _REMEDIES[reason]
    ]


def _remedy(kind: str, answers: str, detail: str | None = None) -> DiagnosisRemedy:
    return DiagnosisRemedy.model_validate({"kind": kind, "detail": detail, "for": answers})


def codes_of(miss: NearMiss) -> list[ReasonCode]:
    return [reason.code for reason in miss.reasons]


def _detail(kind: str, code: ReasonCode, near_misses: Sequence[NearMiss]) -> str | None:
    """For a higher budget: the smallest sum that would reach a supply."""
    if kind != "HIGHER_BUDGET":
        return None
    short = [
        (reason.by, reason.have)
        for miss in near_misses
        for reason in miss.reasons
        if reason.code is code and reason.by is not None and reason.have is not None
    ]
    if not short:
        return None
    by, have = min(short)
    return f"+{by:,.0f} {have.rsplit(' ', 1)[-1]}"


def diagnosis_text(code: DiagnosisCode, near_misses: Sequence[NearMiss]) -> BilingualText:
    """Say it in words, with the reasons and how many of the nearest supplies each concerns."""
    vi, en = _OPENING[code]
    reasons = leading_reasons(code, [codes_of(miss) for miss in near_misses])
    if reasons:
        counted = Counter(found for miss in near_misses for found in codes_of(miss))
        vi += " Lý do: " + _listed(reasons, counted, 0) + "."
        en += " Reasons: " + _listed(reasons, counted, 1) + "."
    return BilingualText(vi=vi, en=en)


def _listed(reasons: Sequence[ReasonCode], counted: Counter[ReasonCode], language: int) -> str:
    return "; ".join(f"{REASON_WORDS[code][language]} ({counted[code]})" for code in reasons)
