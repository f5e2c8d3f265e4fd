"""`ketnoi demo`: load a set beside a running suite, and show what Ketnoi makes of it."""

import json
import time
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError
from ketnoi.operator.api import Api
from ketnoi.operator.files import PART_BYTES, Part
from ketnoi.operator.importing import Outcome, import_parts
from ketnoi.operator.ranking_quality import ndcg, recall
from ketnoi.operator.retrieval_set import RetrievalSet

SETTLE_SECONDS = 300.0
SHOWN_MATCHES = 3
LIST_LENGTH = 20


def run_demo(environment: Environment, *, data: Path | None, split: str, url: str | None) -> None:
    """Load the project's own demo set, or a retrieval set, and print the matches."""
    console = Console()
    with Api.of(environment, url=url) as api:
        if data is None:
            _own_demo(api, console)
        else:
            _retrieval_demo(api, console, RetrievalSet.read(data, split))


def _own_demo(api: Api, console: Console) -> None:
    folder = files("ketnoi").joinpath("data/demo")
    demands = folder.joinpath("demands.jsonl").read_bytes()
    supplies = folder.joinpath("supplies.jsonl").read_bytes()
    _load(api, console, "supplies", [Part("supplies.jsonl", supplies, 0)])
    _load(api, console, "demands", [Part("demands.jsonl", demands, 0)])
    table = Table(
        "demand",
        "best supplies (score · lang · country)",
        "why",
        title="Ketnoi demo",
        show_lines=True,
    )
    for line in demands.decode().splitlines():
        reference = json.loads(line)["source_ref"]
        demand = api.json("GET", f"/v1/demands/by-ref/{reference['system']}/{reference['ref']}")
        table.add_row(*_row(api, demand))
    console.print(table)
    console.print(f"Look further: {api.url}/v1/demands/<id>/overview, {api.url}/docs")


def _row(api: Api, demand: dict[str, Any]) -> tuple[str, str, str]:
    matches = _matches(api, demand["id"])[:SHOWN_MATCHES]
    diagnosis = api.json("GET", f"/v1/demands/{demand['id']}/diagnosis")
    colour = "green" if diagnosis["diagnosis"] == "MATCHED" else "yellow"
    head = f"{demand['title']}\n[{colour}]{diagnosis['diagnosis']}[/]"
    if not matches:
        return head, "-", (diagnosis.get("text") or {}).get("vi", "")
    lines = [_line(match["score"], match["supply"]) for match in matches]
    return head, "\n".join(lines), matches[0]["explanation"]["text"]["vi"]


def _line(score: float, supply: dict[str, Any]) -> str:
    return f"{score:.3f} · {supply['language']} · {supply['country'] or '?'}  {supply['title']}"


def _retrieval_demo(api: Api, console: Console, chosen: RetrievalSet) -> None:
    supplies, waited = _load(api, console, "supplies", _parts("supplies", chosen.supplies()))
    demands, waited_more = _load(api, console, "demands", _parts("demands", chosen.demands()))
    found, good = [], []
    for query, grades in chosen.relevant.items():
        demand = api.json("GET", f"/v1/demands/by-ref/{chosen.demand_system}/{query}")
        ranked = [match["supply_id"] for match in _matches(api, demand["id"])]
        wanted = {_supply_id(api, chosen, ref): grade for ref, grade in grades.items()}
        good.append(ndcg(ranked, wanted, 10))
        found.append(recall(ranked, wanted, LIST_LENGTH))
    table = Table("measure", "value", title=f"{chosen.name}, through the public API")
    table.add_row("demands judged", f"{len(good):,} of {demands.rows:,}")
    table.add_row("supplies", f"{supplies.rows:,}")
    table.add_row(
        "import of supplies", f"{supplies.rows / max(supplies.seconds, 0.001):,.0f} rows/s"
    )
    table.add_row("until all was matched", f"{waited + waited_more:.1f} s after the imports")
    table.add_row("nDCG@10", f"{sum(good) / max(len(good), 1):.4f}")
    table.add_row("Recall@20", f"{sum(found) / max(len(found), 1):.4f}")
    console.print(table)
    if chosen.cut:
        console.print(
            f"note: {chosen.cut} texts were cut at 8,000 characters, the contract's limit."
        )


def _parts(name: str, rows: Iterable[dict[str, Any]]) -> Iterator[Part]:
    lines: list[bytes] = []
    size = offset = 0
    for row in rows:
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        if lines and size + len(line) > PART_BYTES:
            yield Part(f"{name}-{offset}.jsonl", b"".join(lines), offset)
            offset += len(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    yield Part(f"{name}-{offset}.jsonl", b"".join(lines), offset)


def _load(api: Api, console: Console, kind: str, parts: Iterable[Part]) -> tuple[Outcome, float]:
    """Import, then wait until svc-matching has caught up; return the seconds waited, too."""
    parts = list(parts)
    outcome = import_parts(api, kind, parts, console, label=kind)
    if outcome.counts["rejected"]:
        first = outcome.errors[0]
        raise LauncherError(
            f"{outcome.counts['rejected']} {kind} were refused; first: line {first['line']},"
            f" {first['pointer']}: {first['message']}"
        )
    counts = ", ".join(f"{count:,} {name}" for name, count in outcome.counts.items() if count)
    console.print(f"{kind}: {counts} in {outcome.seconds:.1f} s")
    last = json.loads(parts[-1].content.splitlines()[-1])
    started = time.monotonic()
    with console.status("matching..."):
        _caught_up(api, kind, last.get("source_ref") or last["source"])
    return outcome, time.monotonic() - started


def _caught_up(api: Api, kind: str, reference: dict[str, str]) -> None:
    """Wait for the last row: events keep their order, so whoever has it has all before it."""
    row = api.json("GET", f"/v1/{kind}/by-ref/{reference['system']}/{reference['ref']}")
    waiting = Patience()
    while api.json("GET", f"/v1/{kind}/{row['id']}/matches", params={"limit": 1})["pending"]:
        waiting.pause()
    while api.json("GET", "/v1/matching/state")["pending"]:
        waiting.pause()


class Patience:
    """Waits in small steps, and not for ever."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def pause(self) -> None:
        if time.monotonic() - self._started > SETTLE_SECONDS:
            raise LauncherError(
                f"svc-matching is not through after {SETTLE_SECONDS:.0f} s; see `ketnoi status`."
            )
        time.sleep(0.05)


def _matches(api: Api, demand_id: str) -> list[dict[str, Any]]:
    """Return the list, waiting while it is pending."""
    waiting = Patience()
    while True:
        page = api.json("GET", f"/v1/demands/{demand_id}/matches", params={"limit": LIST_LENGTH})
        if not page["pending"]:
            items: list[dict[str, Any]] = page["items"]
            return items
        waiting.pause()


def _supply_id(api: Api, chosen: RetrievalSet, reference: str) -> str:
    supply = api.json("GET", f"/v1/supplies/by-ref/{chosen.supply_system}/{reference}")
    return str(supply["id"])
