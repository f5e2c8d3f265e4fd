"""`python -m quality.diagnosis [fit|more|held ...]`: how often diagnosis and reason are right.

The set is this project's own: demands with planted supplies in six languages. What decides is
chosen on `fit`; `more` was written beside it to see whether that carries over; and `held`, which
nobody looks into, gives the figure.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from shared.contracts.demands import DemandUpsert
from shared.contracts.matches import DiagnosisCode, ReasonCode
from shared.contracts.supplies import SupplyStatus, SupplyUpsert
from svc_matching.domain.diagnoses import Missed, decide, leading_reasons
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.pairs import Ranking
from svc_matching.engine.views import views_of
from svc_matching.engine.weights import MILLION, load_weights
from svc_supply.domain.supply_lifecycle import has_passed

SETS = Path(__file__).parent / "diagnosis_set"
PARTS = ("fit", "more", "held")
TODAY = date(2026, 11, 1)
"""The day the set was written for: what is past on it has expired."""
CUTS = [round(0.04 + 0.01 * step, 2) for step in range(40)]


@dataclass(frozen=True)
class Part:
    """One part of the set, indexed."""

    engine: Engine
    demands: dict[str, UUID]
    supplies: dict[UUID, str]
    expected: list[dict[str, Any]]

    @classmethod
    def read(cls, name: str, cut: float) -> "Part":
        folder = SETS / name
        engine = Engine(replace(load_weights(), relevant=cut), year=TODAY.year)
        supplies: dict[UUID, str] = {}
        for row in _rows(folder / "supplies.jsonl"):
            profile = SupplyUpsert.model_validate(row)
            status = _status(profile, row)
            views = views_of(profile)
            supply_id = UUID(int=len(supplies) + 1)
            supplies[supply_id] = row["source"]["ref"]
            facts = supply_facts(profile, status, views)
            engine.put_supply(supply_id, facts, views, weigh=False)
        engine.adopt(engine.freeze(1))
        demands: dict[str, UUID] = {}
        for row in _rows(folder / "demands.jsonl"):
            profile = DemandUpsert.model_validate(row)
            views = views_of(profile)
            demand_id = demands[row["source_ref"]["ref"]] = UUID(int=1_000_000 + len(demands))
            facts = demand_facts(profile, views)
            engine.put_demand(demand_id, facts, views)
        return cls(engine, demands, supplies, _rows(folder / "expected.jsonl"))

    def judge(self) -> dict[str, Any]:
        """Return the shares that are right, and what was taken for what."""
        taken: Counter[tuple[str, str]] = Counter()
        right = reasons = asked = found = wanted = 0
        wrong = []
        for case in self.expected:
            ranking = self.engine.rank(self.demands[case["ref"]])
            code, reason = diagnose(ranking)
            taken[case["diagnosis"], code] += 1
            right += code == case["diagnosis"]
            if code != case["diagnosis"]:
                wrong.append((case["ref"], case["diagnosis"], code))
            if case.get("reason"):
                asked += 1
                reasons += code == case["diagnosis"] and reason == case["reason"]
            top = {self.supplies[pair.supply_id] for pair in ranking.listed[:5]}
            wanted += len(case["good"])
            found += len(top & set(case["good"]))
        return {
            "n": len(self.expected),
            "right": right / len(self.expected),
            "reason right": reasons / asked,
            "good in the first five": found / wanted,
            "taken": taken,
            "wrong": wrong,
        }


def diagnose(ranking: Ranking) -> tuple[DiagnosisCode, ReasonCode | None]:
    """Return what the service would store: the diagnosis, and the reason that it puts first."""
    misses = [Missed(pair.relevance / MILLION, reasons_of(pair.reasons)) for pair in ranking.missed]
    witness = ranking.witness
    code = decide(served=witness.relevance / MILLION if witness else None, misses=misses)
    return code, next(iter(leading_reasons(code, misses)), None)


def _status(profile: SupplyUpsert, row: dict[str, Any]) -> SupplyStatus:
    """Return what svc-supply would have made of the row: what is past its date is expired."""
    if has_passed(profile, TODAY):
        return SupplyStatus.EXPIRED
    return SupplyStatus(row.get("status", "PUBLISHED"))


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _show(found: dict[str, Any], console: Console) -> None:
    """Say what was taken for what; never for `held`, into which nobody looks."""
    for (expected, code), count in sorted(found["taken"].items()):
        console.print(f"{expected:>13} taken for {code:<13} {count}")
    for ref, expected, code in found["wrong"]:
        console.print(f"{ref}: {expected}, not {code}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--cuts", action="store_true", help="try every cut, on `fit` alone")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console(width=110)
    if given.cuts:
        for cut in CUTS:
            found = Part.read("fit", cut).judge()
            console.print(f"{cut:.2f}: {found['right']:.3f}, reason {found['reason right']:.3f}")
        return
    table = Table("part", "demands", "diagnosis right", "reason right", "good in the first five")
    for name in given.parts or PARTS:
        found = Part.read(name, load_weights().relevant).judge()
        figures = (found["right"], found["reason right"], found["good in the first five"])
        table.add_row(name, str(found["n"]), *(f"{each:.3f}" for each in figures))
        if name != "held":
            _show(found, console)
    console.print(table)


if __name__ == "__main__":
    main()
