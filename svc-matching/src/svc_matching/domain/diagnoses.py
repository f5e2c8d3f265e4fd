"""What stands in the way of a demand: the report's triad, with the cheapest way out of each.

«Nơi cần không có, nơi có không đúng, nơi trúng thì không đủ nguồn lực.»
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

from shared.contracts.matches import (
    BilingualText,
    DiagnosisCode,
    DiagnosisRemedy,
    NearMiss,
    Reason,
    ReasonCode,
)
from svc_matching.domain.words import REASON_WORDS

COMPARABLE = 0.6
"""A supply with less than this share of the best relevance has no say beside the best: what is
half as much about the need neither serves it nor is what stands in its way."""

CERTAIN = 0.36
"""A supply of this relevance always has a say: beside one that is worded as the demand is, every
other one looks small."""

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


class Missed(NamedTuple):
    """A relevant supply that something keeps from serving; its relevance is at most 1."""

    relevance: float
    reasons: Sequence[ReasonCode]


def decide(*, served: float | None, misses: Sequence[Missed]) -> DiagnosisCode:
    """Name what stands in the way, from the relevant supplies that do not serve.

    `served` is the relevance of the best supply with nothing in its way; None when there is none.
    """
    if served is None and not misses:
        return DiagnosisCode.NO_SUPPLY
    bar = _bar(served, misses)
    if served is not None and served >= bar:
        return DiagnosisCode.MATCHED
    if any(_is_right(miss) for miss in misses if miss.relevance >= bar):
        return DiagnosisCode.NO_RESOURCES
    return DiagnosisCode.MISMATCH


def _bar(served: float | None, misses: Sequence[Missed]) -> float:
    """Return the relevance from which a supply has a say."""
    best = max((served or 0, *(miss.relevance for miss in misses)))
    return min(CERTAIN, COMPARABLE * best)


def _is_right(miss: Missed) -> bool:
    """Whether it is right for the demand, and only its means are short."""
    return RESOURCES.issuperset(miss.reasons)


def _rests_on(code: DiagnosisCode, misses: Sequence[Missed]) -> list[bool]:
    """Return for each supply whether the diagnosis rests on it."""
    bar = _bar(None, misses)
    return [
        miss.relevance >= bar and (code is not DiagnosisCode.NO_RESOURCES or _is_right(miss))
        for miss in misses
    ]


def leading_reasons(code: DiagnosisCode, misses: Sequence[Missed]) -> list[ReasonCode]:
    """Return the reasons behind the diagnosis, the one that blocks most first.

    Each supply counts by its relevance. Under NO_RESOURCES only the supplies count that are
    blocked by nothing else.
    """
    if code is DiagnosisCode.MATCHED:
        return []
    blocked: dict[ReasonCode, float] = {}
    for miss in compress(misses, _rests_on(code, misses)):
        for reason in miss.reasons:
            blocked[reason] = blocked.get(reason, 0) + miss.relevance
    order = list(ReasonCode)
    return sorted(blocked, key=lambda reason: (-blocked[reason], order.index(reason)))


def in_order(code: DiagnosisCode, near_misses: Sequence[NearMiss]) -> list[NearMiss]:
    """Return near misses as the diagnosis tells of them: those first that it rests on.

    Of these, those first that the first reason keeps away, the most relevant first; each with its
    reasons in that order.
    """
    missed = [missed_of(miss) for miss in near_misses]
    order = list(dict.fromkeys([*leading_reasons(code, missed), *ReasonCode]))

    def place(reason: Reason) -> int:
        return order.index(reason.code)

    def key(each: tuple[NearMiss, bool]) -> tuple[bool, int, float]:
        miss, rested_on = each
        first = min(map(place, miss.reasons), default=0) if rested_on else 0
        return not rested_on, first, -miss.relevance

    told = sorted(zip(near_misses, _rests_on(code, missed), strict=True), key=key)
    return [
        miss.model_copy(update={"reasons": sorted(miss.reasons, key=place)}) for miss, _ in told
    ]


def remedies(code: DiagnosisCode, near_misses: Sequence[NearMiss]) -> list[DiagnosisRemedy]:
    """Return the ways out, for the first reason first, each kind once per reason."""
    if code is DiagnosisCode.MATCHED:
        return []
    if code is DiagnosisCode.NO_SUPPLY:
        return [_remedy("SEARCH_ORDER", code)]
    missed = [missed_of(miss) for miss in near_misses]
    reasons = leading_reasons(code, missed)
    nearest = list(compress(near_misses, _rests_on(code, missed)))
    return [
        _remedy(kind, reason, _detail(kind, reason, nearest))
        for reason in reasons
        for kind in _REMEDIES[reason]
    ]


def _remedy(kind: str, answers: str, detail: str | None = None) -> DiagnosisRemedy:
    return DiagnosisRemedy.model_validate({"kind": kind, "detail": detail, "for": answers})


def codes_of(miss: NearMiss) -> list[ReasonCode]:
    return [reason.code for reason in miss.reasons]


def missed_of(miss: NearMiss) -> Missed:
    return Missed(miss.relevance, codes_of(miss))


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
    reasons = leading_reasons(code, [missed_of(miss) for miss in near_misses])
    if reasons:
        counted = Counter(found for miss in near_misses for found in codes_of(miss))
        vi += " Lý do: " + _listed(reasons, counted, 0) + "."
        en += " Reasons: " + _listed(reasons, counted, 1) + "."
    return BilingualText(vi=vi, en=en)


def _listed(reasons: Sequence[ReasonCode], counted: Counter[ReasonCode], language: int) -> str:
    return "; ".join(f"{REASON_WORDS[code][language]} ({counted[code]})" for code in reasons)
