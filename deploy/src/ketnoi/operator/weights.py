"""`ketnoi weights`: learn from what people decided what should count how much, off line.

The running service is only read. What it goes by changes when an operator sets
KETNOI_WEIGHTS_PATH to the new file and starts it again: a new version opens a new epoch, in which
every list is ranked anew.
"""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.operator.servers import admin_url, administrator
from ketnoi.services import MATCHING
from svc_matching.engine.decisions import DECIDED, Decision, decision_of, read_decisions
from svc_matching.engine.fitting import (
    MAX_DECISIONS,
    Fitted,
    TooFewDecisionsError,
    TooManyDecisionsError,
    fit,
)
from svc_matching.engine.weights import Weights, load_weights, read_weights, weights_text

_PORTION = 1_000
_DECIDED = f"""
SELECT demand_id, supply_id, state, components FROM {MATCHING.schema}.match
WHERE state = ANY($1) ORDER BY updated_at DESC, id LIMIT $2
"""
_NOT_FITTED = (
    "Lists, rules and the cut of the diagnosis are as they were. The cut (diagnosis.relevant) was"
    " found with the old weights of relevance: look at `make diagnosis` before use."
)


def export_decisions(environment: Environment, file: Path) -> None:
    """Write every decided match with its components, one JSON object a line."""
    decisions = asyncio.run(_read(admin_url(environment)))
    lines = (f"{decision.model_dump_json()}\n" for decision in decisions)
    _write_new({file: "".join(lines)})
    Console().print(f"{file}: {len(decisions):,} decisions")


async def _read(url: str) -> list[Decision]:
    """Return the decisions; the newest, if there are more than are fitted at once."""
    async with administrator(url) as connection, connection.transaction(readonly=True):
        rows = connection.cursor(_DECIDED, DECIDED, MAX_DECISIONS, prefetch=_PORTION)
        found = [decision_of(*row) async for row in rows]
    if len(found) == MAX_DECISIONS:
        Console().print(f"Only the newest {MAX_DECISIONS:,} decisions are looked at.")
    return found


def fit_weights(
    environment: Environment,
    output: Path,
    *,
    version: str,
    decisions: Path | None,
    weights: Path | None,
) -> None:
    """Fit new weights and write them with a report beside them; nothing else changes."""
    report = output.with_suffix(".report.json")
    if taken := next((file for file in (output, report) if file.exists()), None):
        raise UsageError(f"{taken} exists; a weights file is never overwritten.")
    present = _present(weights)
    if version == present.version:
        raise UsageError(f"{version} is the present version; a new file needs a new one.")
    if decisions is not None:
        given = _from_file(decisions)
    else:
        given = asyncio.run(_read(admin_url(environment)))
    try:
        fitted = fit(given, present, version)
    except TooFewDecisionsError as error:
        raise LauncherError(f"Too little to learn from: {error}. Nothing was written.") from error
    except TooManyDecisionsError as error:
        raise LauncherError(f"{error}. `ketnoi weights export`, keep the newest lines.") from error
    note = f"Fitted to {fitted.decisions} decisions, from version {present.version}."
    said = _report(fitted, present) | {"note": _NOT_FITTED}
    _write_new(
        {
            output: weights_text(fitted.weights, note),
            report: json.dumps(said, indent=2, ensure_ascii=False) + "\n",
        }
    )
    _show(fitted, output, report)


def _present(file: Path | None) -> Weights:
    try:
        return load_weights() if file is None else read_weights(file)
    except ValueError as error:
        raise UsageError(f"{error}.") from error


def _from_file(file: Path) -> list[Decision]:
    try:
        with file.open("rb") as lines:
            return read_decisions(lines, MAX_DECISIONS)
    except OSError as error:
        raise UsageError(f"Cannot read {file}: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{file}: {error}.") from error


def _write_new(texts: dict[Path, str]) -> None:
    for file, text in texts.items():
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            raise UsageError(f"Cannot write {file}: {error.strerror}.") from error


def _report(fitted: Fitted, present: Weights) -> dict[str, object]:
    return {
        "version": fitted.weights.version,
        "from_version": present.version,
        "better": fitted.is_better,
        "n": {
            "decisions": fitted.decisions,
            "chosen": fitted.chosen,
            "demands": fitted.demands,
            "pairs": fitted.pairs,
        },
        "strength": fitted.strength,
        "held_out": {"before": asdict(fitted.before), "after": asdict(fitted.after)},
        "weights": [asdict(change) for change in fitted.changes],
    }


def _show(fitted: Fitted, output: Path, report: Path) -> None:
    console = Console()
    table = Table("weight", "before", "after", "95 %")
    for change in fitted.changes:
        between = f"{change.low:.4f} to {change.high:.4f}"
        table.add_row(change.name, f"{change.before:.4f}", f"{change.after:.4f}", between)
    console.print(table)
    console.print(
        f"{fitted.decisions:,} decisions; {fitted.pairs:,} pairs, of {fitted.demands:,} demands"
    )
    for name, before, after in (
        ("log-loss", fitted.before.log_loss, fitted.after.log_loss),
        ("pairwise accuracy", fitted.before.accuracy, fitted.after.accuracy),
    ):
        console.print(f"{name} on held-out demands: {before:.4f} before, {after:.4f} after")
    console.print(
        "Better on what it has not seen."
        if fitted.is_better
        else "No better on what it has not seen: keep the present weights."
    )
    console.print(f"{_NOT_FITTED}\nWritten: {output}, {report}. Nothing that runs has changed.")
