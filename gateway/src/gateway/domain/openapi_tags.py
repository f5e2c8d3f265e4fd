"""The chapters of the API's documentation, in both languages."""

TAGS: dict[str, tuple[str, str]] = {
    "demands": ("Nhu cầu công nghệ", "Technology demands"),
    "campaigns": ("Đợt khảo sát nhu cầu", "Survey campaigns"),
    "search-orders": ("Đặt hàng tìm kiếm công nghệ", "Search orders to overseas offices"),
    "supplies": ("Nguồn cung công nghệ", "Technology supplies"),
    "organizations": ("Tổ chức", "Organizations and intermediaries"),
    "experts": ("Chuyên gia", "Experts"),
    "programs": ("Chương trình hỗ trợ", "Support programs"),
    "feeds": ("Nguồn dữ liệu của sàn đối tác", "Feeds of partner exchanges"),
    "fairs": ("Techmart, Techdemo", "Technology fairs"),
    "imports": ("Nhập tệp", "Imports of whole files"),
    "matches": ("Kết quả khớp nối", "Matches and diagnoses"),
    "vocabularies": ("Từ vựng công nghệ", "Technology vocabulary"),
    "interests": ("Bày tỏ quan tâm", "Expressions of interest"),
    "connections": ("Kết nối", "Connections, from introduction to mastery"),
    "reporting": ("Báo cáo và chỉ số", "Reports and indicators"),
    "identity": ("Xác thực", "Access tokens"),
    "operations": ("Vận hành", "Operations"),
}

_TAILS = {"matches": "matches", "diagnosis": "matches"}
_HEADS = {"match-preview": "matches", "gaps": "matches", "matching": "operations"}


def tag_of(path: str) -> str:
    """Return the chapter that a path belongs to."""
    segments = path.strip("/").split("/")
    if segments[0] != "v1":
        return "identity"
    if segments[-1] in _TAILS:
        return _TAILS[segments[-1]]
    return _HEADS.get(segments[1], segments[1])


def tag_list(used: set[str]) -> list[dict[str, str]]:
    """Return the OpenAPI tag objects of the chapters in use, in the order of the table."""
    return [
        {"name": name, "description": f"{vietnamese} · {english}"}
        for name, (vietnamese, english) in TAGS.items()
        if name in used
    ]
