"""`ketnoi import`: a file of demands or supplies, every row of it accounted for."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError
from ketnoi.operator.api import Api, explain
from ketnoi.operator.files import Part, parts_of

POLL_SECONDS = 0.1
JOB_SECONDS = 600.0
"""A part that has not moved for so long is given up; the job itself goes on in the service."""
SHOWN_ERRORS = 20
_COUNTS = ("created", "updated", "unchanged", "rejected")


@dataclass
class Outcome:
    """What became of the rows."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    errors: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def import_file(
    environment: Environment, kind: str, path: Path, *, url: str | None, errors_to: Path | None
) -> None:
    """Import `path`; exit code 3 when rows were refused (the good ones are in)."""
    console = Console()
    parts = list(parts_of(path))
    with Api.of(environment, url=url) as api:
        outcome = import_parts(api, kind, parts, console, label=path.name)
    table = Table(
        "", *_COUNTS, title=f"{path.name}: {outcome.rows} rows in {outcome.seconds:.1f} s"
    )
    table.add_row(kind, *(f"{outcome.counts[name]:,}" for name in _COUNTS))
    console.print(table)
    _show_errors(console, outcome, errors_to)
    if outcome.counts["rejected"]:
        raise SystemExit(3)


def import_parts(
    api: Api, kind: str, parts: Iterable[Part], console: Console, *, label: str
) -> Outcome:
    """Send parts one after the other, showing progress; the order of rows is kept."""
    outcome = Outcome()
    started = time.monotonic()
    parts = list(parts)
    total = sum(_rows(part) for part in parts)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=total)
        for part in parts:
            before = outcome.rows
            for job in _followed(api, _send(api, kind, part)):
                total = max(total, before + job["total"])  # a workbook's rows, once it is read
                progress.update(task, total=total, completed=before + job["done"])
            for name in _COUNTS:
                outcome.counts[name] += job[name]
            if job["state"] == "FAILED":
                raise LauncherError(f"{part.name}: {_why(api, job)}")
            if job["rejected"]:
                outcome.errors += _errors(api, job["id"], part.offset)
        progress.update(task, completed=total)
    outcome.seconds = time.monotonic() - started
    return outcome


def _send(api: Api, kind: str, part: Part) -> dict[str, Any]:
    answer = api.request(
        "POST",
        "/v1/imports",
        data={"kind": kind.upper()},
        files={"file": (part.name, part.content, "application/octet-stream")},
    )
    if not answer.is_success:
        raise LauncherError(f"{part.name}: {explain(answer)}")
    job: dict[str, Any] = answer.json()
    return job


def _followed(api: Api, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the job until it has ended; LauncherError when it stands still."""
    moved_at, done = time.monotonic(), -1
    while True:
        job = api.json("GET", f"/v1/imports/{job['id']}")
        yield job
        if job["state"] in ("DONE", "FAILED"):
            return
        if job["done"] != done:
            moved_at, done = time.monotonic(), job["done"]
        elif time.monotonic() - moved_at > JOB_SECONDS:
            raise LauncherError(
                f"Import {job['id']} has not moved for {JOB_SECONDS:.0f} s; see `ketnoi status`."
                " It goes on by itself when the service is well again."
            )
        time.sleep(POLL_SECONDS)


def _rows(part: Part) -> int:
    return 1 if part.name.endswith(".xlsx") else max(part.content.count(b"\n"), 1)


def _why(api: Api, job: dict[str, Any]) -> str:
    """Return why a job failed: line 0 speaks of the file as a whole."""
    errors = api.json("GET", f"/v1/imports/{job['id']}/errors", params={"limit": 1})["items"]
    if errors and errors[0]["line"] == 0:
        return str(errors[0]["message"])
    return str(job.get("detail") or "the import failed")


def _errors(api: Api, job_id: str, offset: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        query = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = api.json("GET", f"/v1/imports/{job_id}/errors", params=query)
        found += [{**error, "line": error["line"] + offset} for error in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _show_errors(console: Console, outcome: Outcome, errors_to: Path | None) -> None:
    if not outcome.errors:
        return
    table = Table("line", "where", "code", "what to do", title="refused rows")
    for error in outcome.errors[:SHOWN_ERRORS]:
        table.add_row(str(error["line"]), error["pointer"], error["code"], error["message"])
    console.print(table)
    hidden = len(outcome.errors) - SHOWN_ERRORS
    if hidden > 0:
        console.print(f"... and {hidden} more; `--errors FILE` writes all of them.")
    if errors_to is not None:
        import json

        lines = (json.dumps(error, ensure_ascii=False) + "\n" for error in outcome.errors)
        errors_to.write_text("".join(lines), encoding="utf-8")
        console.print(f"written: {errors_to}")
