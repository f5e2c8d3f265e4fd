"""`ketnoi status`: how every part is, since when, and what to do."""

from typing import Any

from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.operator.api import Api

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def show_status(environment: Environment, *, url: str | None) -> None:
    """Print the gathered health; exit code 1 when a part fails."""
    with Api.of(environment, url=url) as api:
        health = api.health()
        address = api.url
    console = Console()
    table = Table("part", "check", "state", "since", "detail", title=f"Ketnoi at {address}")
    for part, document in _parts(health):
        checks: dict[str, Any] = document.get("checks") or {"": [document]}
        for name, (check, *_) in checks.items():
            state = str(check.get("status", "fail"))
            detail = str(check.get("output") or check.get("observedValue") or "")
            since = str(check.get("since") or "")[:19].replace("T", " ")
            table.add_row(part, name, f"[{_COLOURS.get(state, 'red')}]{state}[/]", since, detail)
    console.print(table)
    if health.get("status") == "fail":
        raise SystemExit(1)


def _parts(health: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    own = {key: value for key, value in health.items() if key != "services"}
    services: dict[str, dict[str, Any]] = health.get("services") or {}
    return [("gateway", own), *sorted(services.items())]
