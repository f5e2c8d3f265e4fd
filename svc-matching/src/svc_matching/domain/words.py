"""The words of codes and components, in Vietnamese and English."""

from shared.contracts.matches import BilingualText, ReasonCode

PRICE_LINE = "capacity_price"
"""The component that says what the capacity price of a supply took off a score."""

COMPONENT_WORDS = {
    "terms": ("nội dung kỹ thuật", "technical content"),
    "fields": ("lĩnh vực khoa học và công nghệ", "field of science and technology"),
    "industries": ("ngành kinh tế", "industry"),
    "ipc": ("phân loại sáng chế IPC", "IPC class"),
    "dense": ("ý nghĩa của văn bản", "meaning of the text"),
    "trl": ("mức sẵn sàng công nghệ (TRL)", "technology readiness (TRL)"),
    "quantities": ("thông số kỹ thuật", "technical figures"),
    "transfer": ("điều kiện chuyển giao", "transfer terms"),
    "country": ("quốc gia ưu tiên", "preferred country"),
    "language": ("ngôn ngữ", "language"),
    "ipr": ("quyền sở hữu trí tuệ", "intellectual property"),
    "deadline": ("thời hạn", "deadline"),
    "price": ("giá so với ngân sách", "price against budget"),
    "workforce": ("nhân lực", "workforce"),
    "skills": ("kỹ năng", "skills"),
    "infrastructure": ("hạ tầng", "infrastructure"),
    "capital": ("vốn", "capital"),
    "management": ("quản lý", "management"),
    "rnd": ("nghiên cứu và phát triển", "R&D"),
    PRICE_LINE: ("giá năng lực phục vụ", "capacity price"),
}

REASON_WORDS = {
    ReasonCode.EXPIRED: ("nguồn cung đã hết hạn", "the supply has expired"),
    ReasonCode.ON_HOLD: ("nguồn cung đang tạm dừng", "the supply is on hold"),
    ReasonCode.LEGAL_RESTRICTED: (
        "công nghệ thuộc danh mục hạn chế chuyển giao",
        "the technology is on the restricted list",
    ),
    ReasonCode.EXCLUDED_COUNTRY: ("quốc gia bị loại trừ", "the country is excluded"),
    ReasonCode.USED_NOT_ACCEPTED: (
        "thiết bị đã qua sử dụng, bên cầu không nhận",
        "used equipment, which the demand does not accept",
    ),
    ReasonCode.USED_TOO_OLD: (
        "thiết bị đã qua sử dụng quá tuổi quy định",
        "used equipment above the age limit",
    ),
    ReasonCode.TRL_LOW: ("mức sẵn sàng công nghệ thấp hơn yêu cầu", "the TRL is below the minimum"),
    ReasonCode.RIGHT_MISMATCH: (
        "chỉ chuyển quyền sử dụng, không chuyển quyền sở hữu",
        "only a licence is offered, ownership is wanted",
    ),
    ReasonCode.EXCLUSIVITY_MISMATCH: ("không chuyển giao độc quyền", "exclusivity is not offered"),
    ReasonCode.SCOPE_MISMATCH: (
        "chỉ chuyển giao một phần công nghệ",
        "only a part of the technology is offered",
    ),
    ReasonCode.SPEC_FAILS: ("không đạt thông số bắt buộc", "a required figure is not met"),
    ReasonCode.BUDGET_SHORT: ("giá vượt ngân sách", "the price is above the budget"),
    ReasonCode.ABSORPTION_SHORT: (
        "năng lực hấp thụ chưa đủ",
        "the absorption capacity is too low",
    ),
}


def both(pair: tuple[str, str]) -> BilingualText:
    """Return a pair of (Vietnamese, English) as the contract's value."""
    return BilingualText(vi=pair[0], en=pair[1])


def sentence(text: str) -> str:
    """Return `text` as a sentence."""
    return text[:1].upper() + text[1:] + "."
