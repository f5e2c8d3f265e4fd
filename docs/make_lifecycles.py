"""Writes docs/lifecycles.md from the tables that the services themselves follow."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.lifecycles import Actor, Lifecycle, Move
from svc_demand.domain import demand_lifecycle
from svc_supply.domain import supply_lifecycle

PAGE = Path(__file__).parent / "lifecycles.md"

STATUSES = {
    "DRAFT": ("Nháp", "Draft"),
    "SUBMITTED": ("Đã gửi", "Submitted"),
    "UNDER_REVIEW": ("Đang xem xét", "Under review"),
    "UNDER_VALIDATION": ("Đang thẩm tra", "Under validation"),
    "RETURNED": ("Trả lại để bổ sung", "Returned"),
    "REJECTED": ("Từ chối", "Rejected"),
    "VERIFIED": ("Thực sự cần thiết", "Verified"),
    "FORWARDED": ("Đã chuyển lên Bộ", "Forwarded"),
    "PUBLISHED": ("Đã công bố", "Published"),
    "ON_HOLD": ("Tạm dừng", "On hold"),
    "FLAGGED": ("Bị đánh dấu", "Flagged"),
    "FULFILLED": ("Đã được đáp ứng", "Fulfilled"),
    "TRANSFERRED_EXCLUSIVELY": ("Đã chuyển giao độc quyền", "Transferred exclusively"),
    "EXPIRED": ("Hết hạn", "Expired"),
    "WITHDRAWN": ("Đã rút", "Withdrawn"),
    "ARCHIVED": ("Lưu trữ", "Archived"),
}
ACTORS = {
    Actor.OWNER: ("bên sở hữu", "owner"),
    Actor.DOST: ("Sở KH&CN của tỉnh", "dost"),
    Actor.OPERATOR: ("cơ quan vận hành", "operator"),
    Actor.SYSTEM: ("hệ thống", "system"),
}
NEEDS = {
    "complete": ("đủ tên, mô tả, ngôn ngữ, loại", "title, description, language, kind"),
    "reason": ("nêu lý do", "a reason"),
    "checklist": ("trả lời hết bảng kiểm", "the check-list answered"),
    "date_passed": ("đã qua hạn", "its date has passed"),
    "new_date": ("hạn mới", "a new date"),
    "not_prohibited": ("không thuộc danh mục cấm", "not PROHIBITED"),
}
SHORT = {"not_prohibited": "lawful"}
"""Words that fit beside an arrow."""
ENDINGS = ("WITHDRAWN", "ARCHIVED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One resource: its table, and what its statuses mean for editing, expiry and events."""

    title: str
    address: str
    date: str
    lifecycle: Lifecycle
    facts: Mapping[str, str]
    live: Collection[str]
    ended: Collection[str]
    closed: Collection[str]
    checklist: Collection[str] = ()


CHAPTERS = (
    Chapter(
        title="Nhu cầu công nghệ · Demand",
        address="/v1/demands/{id}/transitions",
        date="needed_by",
        lifecycle=demand_lifecycle.LIFECYCLE,
        facts=demand_lifecycle.FACTS,
        live=demand_lifecycle.LIVE,
        ended=demand_lifecycle.ENDED,
        closed=demand_lifecycle.CLOSED,
        checklist=demand_lifecycle.CHECKLIST,
    ),
    Chapter(
        title="Nguồn cung công nghệ · Supply",
        address="/v1/supplies/{id}/transitions",
        date="available_until",
        lifecycle=supply_lifecycle.LIFECYCLE,
        facts=supply_lifecycle.FACTS,
        live=supply_lifecycle.LIVE,
        ended=supply_lifecycle.ENDED,
        closed=supply_lifecycle.CLOSED,
    ),
)

INTRODUCTION = """\
# Vòng đời · Life cycles

Trang này được sinh từ các bảng mà dịch vụ đang dùng (`make contracts`); đừng sửa tay.
This page is made of the tables that the services follow (`make contracts`); do not edit it.

`GET …/transitions` cho biết lịch sử và `allowed`: những bước người gọi được làm lúc này;
`POST …/transitions` với `If-Match` thực hiện một bước. Bước không được phép: 409
`transition_not_allowed`, kèm `allowed`.

`GET …/transitions` gives the history and `allowed`, what this caller may do now;
`POST …/transitions` with `If-Match` takes one step. A step that is not allowed: 409
`transition_not_allowed`, naming the allowed ones.

| ai · who | |
|---|---|
| owner | đơn vị sở hữu · the tenant that owns it |
| dost | Sở KH&CN của tỉnh, kể cả mã tỉnh cũ đã nhập vào · the department of the province, \
under its retired codes too |
| operator | cơ quan vận hành ở Bộ · the ministry |
| system | chính Ketnoi, khi quá hạn hoặc hợp đồng được ký · Ketnoi itself, when a date passes \
or a contract is signed |
"""


def page() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, *(_chapter(chapter) for chapter in CHAPTERS)]
    return "\n".join(parts)


def _chapter(chapter: Chapter) -> str:
    moves = chapter.lifecycle.moves
    way = [move for move in moves if move.target not in ENDINGS]
    ends = [move for move in moves if move.target in ENDINGS]
    lines = [
        f"## {chapter.title}",
        "",
        f"`POST {chapter.address}`",
        "",
        *_diagram(
            [
                "[*] --> DRAFT",
                *(f"{m.source} --> {m.target} : {_label(m.actors, m.guards)}" for m in way),
            ]
        ),
        "",
        "Kết thúc · Endings:",
        "",
        *_diagram([f"{m.source} --> {m.target} : {_label(m.actors, m.guards)}" for m in ends]),
        "",
        "| từ · from | đến · to | ai · who | cần · needs | sự kiện · event |",
        "|---|---|---|---|---|",
        *(_row(move, chapter.facts[move.target]) for move in moves),
        "",
        *_notes(chapter),
        "",
    ]
    return "\n".join(lines)


def _row(move: Move, fact: str) -> str:
    who = _both(ACTORS[actor] for actor in _sorted(move.actors))
    needs = _both(NEEDS[guard] for guard in move.guards)
    return f"| {_named(move.source)} | {_named(move.target)} | {who} | {needs} | `{fact}` |"


def _notes(chapter: Chapter) -> Iterable[str]:
    live, ended, closed = (_listed(each) for each in (chapter.live, chapter.ended, chapter.closed))
    yield f"- Quá `{chapter.date}` (giờ Việt Nam), {live} thành EXPIRED, kể cả khi vừa được ghi."
    yield f"  Past `{chapter.date}` (in Vietnam), {live} become EXPIRED, on every write too."
    yield f"- Không sửa được nữa · No longer edited: {ended}."
    yield f"- Không cập nhật theo mã tham chiếu được nữa · Closed to by-ref upserts: {closed}."
    yield "- Bản nháp không phát sự kiện, cả khi bị rút · Drafts emit no events, even withdrawn."
    if chapter.checklist:
        items = ", ".join(f"`{item}`" for item in chapter.checklist)
        yield f"- Bảng kiểm · Check-list: {items}."


def _diagram(edges: list[str]) -> list[str]:
    used = [name for name in STATUSES if any(name in edge.split(" ") for edge in edges)]
    names = [f"{name} : {name} · {STATUSES[name][0]}" for name in used]
    inside = [f"    {line}" for line in ("direction TB", *names, *edges)]
    return ["```mermaid", "stateDiagram-v2", *inside, "```"]


def _label(actors: Collection[Actor], guards: Iterable[str]) -> str:
    who = ", ".join(ACTORS[actor][1] for actor in _sorted(actors))
    needs = " + ".join(SHORT.get(guard, guard.replace("_", " ")) for guard in guards)
    return f"{who} ({needs})" if needs else who


def _sorted(actors: Collection[Actor]) -> list[Actor]:
    return [actor for actor in ACTORS if actor in actors]


def _both(words: Iterable[tuple[str, str]]) -> str:
    pairs = list(words)
    if not pairs:
        return ""
    vi, en = ("; ".join(word) for word in zip(*pairs, strict=True))
    return f"{vi} · {en}"


def _named(status: str) -> str:
    return f"{status}<br>{STATUSES[status][0]} · {STATUSES[status][1]}"


def _listed(statuses: Collection[str]) -> str:
    return ", ".join(name for name in STATUSES if name in statuses)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
