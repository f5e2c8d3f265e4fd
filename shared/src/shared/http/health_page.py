"""The health document as a page for people: what is broken, since when, what to do.

One self-contained document without scripts, since it is needed most when all else is down.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from shared.kernel.clock import VIETNAM
from shared.kernel.health import WORST

REFRESH_SECONDS = 10
_CODE = re.compile(r"`([^`]+)`")

_VI = {
    "title": "Tình trạng hệ thống Ketnoi",
    "pass": "Mọi phần hoạt động bình thường",
    "warn": "Vẫn phục vụ, nhưng có điều cần xem",
    "fail": "Có phần đang hỏng",
    "state pass": "tốt",
    "state warn": "cần xem",
    "state fail": "hỏng",
    "broken": "Cần xử lý",
    "all": "Tất cả các phần",
    "since": "từ",
    "todo": "Việc cần làm",
    "cause": "Máy báo",
    "part": "Phần",
    "checks": "Kiểm tra",
    "refreshed": "Cập nhật lúc {at} (giờ Việt Nam), tự làm mới sau 10 giây.",
    "ago": ("{n} giây", "{n} phút", "{n} giờ", "{n} ngày"),
    "names": {
        "process": "tiến trình",
        "loop": "nhịp xử lý",
        "database": "cơ sở dữ liệu",
        "clock": "đồng hồ",
        "disk": "đĩa",
        "tokens": "mã truy cập",
        "upstreams": "gọi dịch vụ",
        "nats": "NATS",
        "outbox": "sự kiện chờ gửi",
        "consumers": "nhận sự kiện",
        "dead_letters": "sự kiện hỏng",
        "drift": "cấu hình NATS",
        "tasks": "tác vụ nền",
        "freshness": "độ mới khớp nối",
        "index": "chỉ mục",
    },
}
_EN = {
    "title": "Ketnoi system health",
    "pass": "Every part is well",
    "warn": "Serving, with something to look at",
    "fail": "A part is broken",
    "state pass": "well",
    "state warn": "look",
    "state fail": "broken",
    "broken": "To put right",
    "all": "All parts",
    "since": "since",
    "todo": "What to do",
    "cause": "In the machine's words",
    "part": "Part",
    "checks": "Checks",
    "refreshed": "As of {at} (Vietnam time); refreshes itself every 10 seconds.",
    "ago": ("{n} s", "{n} min", "{n} h", "{n} days"),
    "names": {"loop": "event loop", "dead_letters": "dead letters", "drift": "NATS settings"},
}
_STYLE = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#1b2330;--soft:#5a6676;--line:#dde2e8;
--pass:#1a7f4b;--warn:#9a6200;--fail:#b3261e}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1b212a;--ink:#e8ecf2;--soft:#9aa7b8;
--line:#2d3643;--pass:#4cc38a;--warn:#f0b13c;--fail:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1rem;font-weight:600;color:var(--soft);margin:0 0 .5rem}
h2{font-size:1.1rem;margin:2rem 0 .75rem}
.overall{font-size:1.6rem;font-weight:700;margin:0}
.overall:before,.dot{content:"";display:inline-block;width:.75em;height:.75em;border-radius:50%;
background:currentColor;margin-right:.5em}
.pass{color:var(--pass)}.warn{color:var(--warn)}.fail{color:var(--fail)}
.soft{color:var(--soft);font-size:.875rem}
.card{background:var(--card);border:1px solid var(--line);border-left:.3rem solid currentColor;
border-radius:.4rem;padding:.9rem 1.1rem;margin:0 0 .75rem}
.card>*{color:var(--ink);margin:0 0 .35rem}.card .soft{color:var(--soft)}
.card .where{font-weight:600}
.card .what{font-size:1.1rem}
code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line)}
th,td{text-align:left;vertical-align:top;padding:.55rem .8rem;border-bottom:1px solid var(--line)}
th{font-size:.8rem;color:var(--soft);font-weight:600}
td:first-child{white-space:nowrap;font-weight:600}
.check{display:inline-block;white-space:nowrap;margin:0 .9rem .15rem 0}
.check .dot{width:.55em;height:.55em;margin-right:.35em}
"""


def wants_page(accept: str | None) -> bool:
    """Tell whether a browser asks: it names HTML, a monitor does not."""
    return "text/html" in (accept or "")


def page(document: Mapping[str, Any], *, english: bool) -> str:
    """Return the page of a service's own document or of the gathered one."""
    words: Mapping[str, Any] = _EN if english else _VI
    now = datetime.now(UTC)
    status = _status(document)
    cards = "".join(_card(found, words, now, english=english) for found in _broken(document))
    rows = "".join(_row(part, own, words) for part, own in _parts(document))
    stamp = words["refreshed"].format(at=_local(now))
    return (
        f'<!doctype html><html lang="{"en" if english else "vi"}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>{words['state ' + status]} · {words['title']}</title><style>{_STYLE}</style>"
        f"</head><body><main><h1>{words['title']}</h1>"
        f'<p class="overall {status}">{words[status]}</p><p class="soft">{stamp}</p>'
        + (f"<h2>{words['broken']}</h2>{cards}" if cards else "")
        + f'<h2>{words["all"]}</h2><div class="scroll"><table><thead><tr><th>{words["part"]}</th>'
        f"<th>{words['checks']}</th></tr></thead><tbody>{rows}</tbody></table></div>"
        "</main></body></html>"
    )


def _status(document: Mapping[str, Any]) -> str:
    status = str(document.get("status"))
    return status if status in WORST else "fail"


def _broken(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "broken" in document:
        yield from document["broken"]
        return
    for name, found in (document.get("checks") or {}).items():
        if found[0].get("status") != "pass":
            yield {"parts": [document.get("serviceId", "")], "check": name, **found[0]}


def _parts(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    services: Mapping[str, Any] = document.get("services") or {}
    checks: Mapping[str, Any] = document.get("checks") or {}
    states = [_status(found[0]) for found in checks.values()]
    worst = max(states, key=WORST.__getitem__, default="pass")
    own = (str(document.get("serviceId", "")), {"status": worst, "checks": checks})
    yield from sorted((own, *services.items()), key=lambda item: -WORST[_status(item[1])])


def _card(
    found: Mapping[str, Any], words: Mapping[str, Any], now: datetime, *, english: bool
) -> str:
    language = "en" if english else "vi"
    state = _status(found)
    check = str(found.get("check", ""))
    where = escape(f"{', '.join(found.get('parts') or ())} · {words['names'].get(check, check)}")
    what = _text((found.get("what") or {}).get(language))
    todo = _text((found.get("what_to_do") or {}).get(language))
    lines = [
        f'<p class="where">{where} <span class="{state}">{words["state " + state]}</span></p>',
        f'<p class="what">{what}</p>' if what else "",
        f"<p><strong>{words['todo']}:</strong> {todo}</p>" if todo else "",
        _since(found, words, now),
        _machine(found, words),
    ]
    return f'<section class="card {state}">{"".join(lines)}</section>'


def _text(text: object) -> str:
    """Escape, and show what stands between backticks as something to type."""
    return _CODE.sub(r"<code>\1</code>", escape(str(text or "")))


def _since(found: Mapping[str, Any], words: Mapping[str, Any], now: datetime) -> str:
    try:
        since = datetime.fromisoformat(str(found.get("since")))
    except ValueError:
        return ""
    passed = _ago((now - since).total_seconds(), words["ago"])
    return f'<p class="soft">{words["since"]} {_local(since)} ({passed})</p>'


def _machine(found: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    observed = found.get("observedValue")
    unit = found.get("observedUnit") or ""
    said = [
        str(found.get("code") or ""),
        "" if observed is None else f"{observed} {unit}".strip(),
        str(found.get("output") or ""),
    ]
    text = " · ".join(escape(part) for part in said if part)
    return f'<p class="soft">{words["cause"]}: <code>{text}</code></p>' if text else ""


def _row(part: str, own: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    checks = own.get("checks") or {}
    shown = "".join(
        f'<span class="check"><span class="dot {_status(found[0])}"></span>'
        f"{escape(words['names'].get(name, name))}</span>"
        for name, found in checks.items()
    )
    state = _status(own)
    label = f'<span class="{state}"><span class="dot"></span></span>{escape(part)}'
    return f"<tr><td>{label}</td><td>{shown or words['state ' + state]}</td></tr>"


def _local(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).strftime("%H:%M:%S %d/%m/%Y")


def _ago(seconds: float, forms: tuple[str, str, str, str]) -> str:
    for size, form in ((86_400, forms[3]), (3600, forms[2]), (60, forms[1])):
        if seconds >= size:
            return form.format(n=int(seconds // size))
    return forms[0].format(n=max(0, int(seconds)))
