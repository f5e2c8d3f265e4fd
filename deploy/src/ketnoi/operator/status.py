"""`ketnoi status`: what is broken, since when and what to do; then how every part is."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.operator.api import Api
from ketnoi.operator.language import Language, language_of

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}
"""From well to worst."""
_WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.VI: {
        "title": "Ketnoi tại {url}",
        "well": "Mọi phần hoạt động bình thường.",
        "pass": "tốt",
        "warn": "cần xem",
        "fail": "hỏng",
        "since": "từ",
        "todo": "Việc cần làm",
        "cause": "Máy báo",
        "part": "phần",
        "check": "kiểm tra",
        "state": "tình trạng",
    },
    Language.EN: {
        "title": "Ketnoi at {url}",
        "well": "Every part is well.",
        "pass": "well",
        "warn": "look",
        "fail": "broken",
        "since": "since",
        "todo": "What to do",
        "cause": "In the machine's words",
        "part": "part",
        "check": "check",
        "state": "state",
    },
}


def show_status(
    environment: Environment, *, url: str | None, language: Language | None = None
) -> None:
    """Print the gathered health, the broken parts first; exit code 1 when a part fails."""
    with Api.of(environment, url=url) as api:
        health, address = api.health(), api.url
    language = language or language_of(os.environ)
    console, words = Console(), _WORDS[language]
    broken: list[dict[str, Any]] = health.get("broken") or []
    console.print(f"[bold]{escape(words['title'].format(url=address))}[/]")
    if not broken and health.get("status") == "pass":
        console.print(f"[green]{words['well']}[/]")
    for number, trouble in enumerate(broken, start=1):
        _print_trouble(console, number, trouble, words, language)
    console.print(_table(health, words))
    if health.get("status") == "fail":
        raise SystemExit(1)


def _print_trouble(
    console: Console,
    number: int,
    trouble: Mapping[str, Any],
    words: Mapping[str, str],
    language: Language,
) -> None:
    state = _state(trouble)
    where = f"{', '.join(trouble.get('parts') or ())} · {trouble.get('check', '')}"
    told = " · ".join(
        str(trouble[key]) for key in ("code", "observedValue", "output") if trouble.get(key)
    )
    colour = _COLOURS[state]
    console.print(f"\n[{colour} bold]{number}. {escape(where)}: {words[state]}[/]", end="")
    console.print(f" ({words['since']} {_local(trouble.get('since'))})")
    for text in (
        _text(trouble, "what", language),
        f"{words['todo']}: {_text(trouble, 'what_to_do', language)}",
        f"[dim]{words['cause']}: {escape(told)}[/]",
    ):
        console.print(f"   {text}")


def _table(health: Mapping[str, Any], words: Mapping[str, str]) -> Table:
    """One row for each part, the worst first: what is not well by name, all else counted."""
    table = Table(words["part"], words["state"], words["check"])
    services: Mapping[str, Any] = health.get("services") or {}
    parts = [("gateway", health), *sorted(services.items())]
    for part, document in sorted(parts, key=lambda named: -_worst(named[1])):
        checks: Mapping[str, Any] = document.get("checks") or {}
        states = {name: _state(found[0]) for name, found in checks.items()}
        colours = {name: _COLOURS[state] for name, state in states.items()}
        shown = " ".join(f"[{colour}]{escape(name)}[/]" for name, colour in colours.items())
        state = list(_COLOURS)[_worst(document)]
        table.add_row(part, f"[{_COLOURS[state]}]{words[state]}[/]", shown)
    return table


def _worst(document: Mapping[str, Any]) -> int:
    checks: Mapping[str, Any] = document.get("checks") or {}
    return max((list(_COLOURS).index(_state(found[0])) for found in checks.values()), default=2)


def _state(found: Mapping[str, Any]) -> str:
    state = str(found.get("status"))
    return state if state in _COLOURS else "fail"


def _text(trouble: Mapping[str, Any], key: str, language: Language) -> str:
    return escape(str((trouble.get(key) or {}).get(language, "")))


def _local(since: object) -> str:
    try:
        return datetime.fromisoformat(str(since)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return ""
