"""Say why a supply stands where it stands, from the numbers of its match and nothing else."""

from collections.abc import Sequence

from shared.contracts.matches import (
    BilingualText,
    Component,
    Explanation,
    Family,
    Gap,
    MatchedConcept,
    Reason,
    ReasonCode,
    Remedy,
)
from svc_matching.domain.words import (
    COMPONENT_WORDS,
    PRICE_LINE,
    REASON_WORDS,
    both,
    sentence,
)

STRONG = 0.8
_GAP_REMEDIES = {
    ReasonCode.BUDGET_SHORT: ("PARTIAL_TRANSFER", "HIGHER_BUDGET"),
    ReasonCode.ABSORPTION_SHORT: ("TRAINING", "PARTIAL_TRANSFER"),
}


def explain(
    components: Sequence[Component],
    matched: Sequence[MatchedConcept],
    obstacles: Sequence[Reason],
    *,
    same_language: bool,
) -> Explanation:
    """Return the explanation of one match; `obstacles` are the resources that are short."""
    strong = [c for c in components if c.known and c.value >= STRONG and c.contribution > 0]
    strong = [c for c in strong if c.name != "terms"]
    missing = [c for c in components if not c.known and c.family is not Family.RELEVANCE]
    parts = [
        _about(components, matched, same_language=same_language),
        _strong(strong),
        *(_obstacle(reason) for reason in obstacles),
        _missing(missing),
        _priced(components),
    ]
    said = [part for part in parts if part is not None]
    return Explanation(
        matched=list(matched),
        strengths=[both(COMPONENT_WORDS[component.name]) for component in strong],
        gaps=[_gap(reason) for reason in obstacles],
        text=BilingualText(
            vi=" ".join(sentence(vi) for vi, _ in said),
            en=" ".join(sentence(en) for _, en in said),
        ),
    )


def withheld() -> Explanation:
    """Return what is said of a supply that the reader may not see now."""
    return Explanation(
        text=BilingualText(
            vi="Nguồn cung này hiện không được công bố với bạn.",
            en="This supply is not published to you at present.",
        )
    )


def _about(
    components: Sequence[Component], matched: Sequence[MatchedConcept], *, same_language: bool
) -> tuple[str, str]:
    near = [c for c in components if c.name in ("fields", "industries", "ipc") and c.known]
    codes = [COMPONENT_WORDS[c.name] for c in near if c.value >= STRONG]
    words = ", ".join(f"«{concept.demand_text}»" for concept in matched[:3])
    meaning = max((c.value for c in components if c.name == "dense" and c.known), default=0.0)
    if words:
        vi, en = f"trùng nội dung: {words}", f"shared content: {words}"
    elif same_language:
        vi, en = "không có từ kỹ thuật chung", "no technical words in common"
    elif meaning > 0:
        vi = "khác ngôn ngữ nên gần như không có từ chung; dựa vào ý nghĩa của văn bản"
        en = "another language, so hardly a word in common; based on the meaning of the text"
    else:
        vi = "khác ngôn ngữ nên gần như không có từ chung; dựa vào mã phân loại"
        en = "another language, so hardly a word in common; based on the classification codes"
    if codes:
        vi += "; cùng " + ", ".join(word for word, _ in codes)
        en += "; same " + ", ".join(word for _, word in codes)
    if meaning >= STRONG:
        vi, en = f"{vi}; gần nghĩa", f"{en}; near in meaning"
    return vi, en


def _strong(strong: Sequence[Component]) -> tuple[str, str] | None:
    words = [COMPONENT_WORDS[c.name] for c in strong if c.family is not Family.RELEVANCE]
    if not words:
        return None
    return (
        "phù hợp về " + ", ".join(vi for vi, _ in words),
        "fits in " + ", ".join(en for _, en in words),
    )


def _obstacle(reason: Reason) -> tuple[str, str]:
    vi, en = REASON_WORDS[reason.code]
    if reason.have and reason.need:
        vi += f" (có {reason.have}, cần {reason.need})"
        en += f" (have {reason.have}, need {reason.need})"
    return vi, en


def _missing(missing: Sequence[Component]) -> tuple[str, str] | None:
    if not missing:
        return None
    words = [COMPONENT_WORDS[component.name] for component in missing]
    return (
        "chưa có dữ liệu về " + ", ".join(vi for vi, _ in words),
        "no data on " + ", ".join(en for _, en in words),
    )


def _priced(components: Sequence[Component]) -> tuple[str, str] | None:
    charged = sum(-c.contribution for c in components if c.name == PRICE_LINE)
    if not charged:
        return None
    figure = f"{charged:.6f}"
    return (
        "đứng đầu nhiều danh sách hơn khả năng phục vụ nên điểm bị hạ " + figure.replace(".", ","),
        f"leads more lists than it can serve, so the score is lowered by {figure}",
    )


def _gap(reason: Reason) -> Gap:
    unit = None
    if reason.code is ReasonCode.BUDGET_SHORT and reason.have:
        unit = reason.have.rsplit(" ", 1)[-1]
    elif reason.code is ReasonCode.ABSORPTION_SHORT:
        unit = "level"
    kinds = _GAP_REMEDIES.get(reason.code, ())
    return Gap(
        code=reason.code, by=reason.by, unit=unit, remedies=[Remedy(kind=kind) for kind in kinds]
    )
