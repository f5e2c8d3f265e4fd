"""`make quality`: rank judged retrieval sets with the product's own pipeline, beside plain BM25.

Reads any folder of sets in the layout of `retrieval_set`, analyses and indexes the documents as
supplies, ranks each query as a demand, and prints nDCG@10, Recall@100 and MRR@10 with bootstrap
intervals. Vietnamese queries are asked a second time without their marks (`<set>@no-marks`); a set
`<name>-control-<language>` holds the queries of `<name>` in another language and gives it a ratio.
The sets are for measuring; nothing here is kept.
"""

import argparse
import json
import math
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import sparse

from ketnoi.errors import UsageError
from ketnoi.operator.ranking_quality import ndcg, recall
from ketnoi.operator.retrieval_set import RetrievalSet
from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.kernel.text import strip_marks
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts, supply_facts
from svc_matching.engine.views import views_of
from svc_matching.engine.weights import load_weights

DEPTH = 100
RESAMPLES = 1000
K1, B = 1.2, 0.75
_WORD = re.compile(r"\w+")

_COLUMNS = {
    "queries": "n",
    "nDCG@10": "ndcg10",
    "95 %": "ci",
    "Recall@100": "recall100",
    "MRR@10": "mrr10",
    "BM25": "bm25_ndcg10",
    "same language": "same_language10",
    "ms a query": "rank_ms",
}

Corpus = list[tuple[str, SupplyProfile]]
Ranked = dict[str, list[str]]


NO_MARKS = "@no-marks"
_CONTROL = "-control-"


def profile_of(row: Mapping[str, Any], kind: type[Any]) -> Any:
    """Return a row of a set as the demand or supply that it stands for."""
    return kind(**{name: row[name] for name in ("title", "description", "language")})


class Product:
    """The pipeline of svc-matching over one corpus, without its tables."""

    def __init__(self, corpus: Corpus) -> None:
        weights = replace(load_weights(), list_size=DEPTH, floor=0.0)
        self._engine = Engine(weights, year=2026)
        self._names: dict[UUID, str] = {}
        self.languages = {name: profile.language for name, profile in corpus}
        started = time.perf_counter()
        for number, (name, profile) in enumerate(corpus, start=1):
            views = views_of(profile)
            facts = supply_facts(profile, SupplyStatus.PUBLISHED, views)
            self._names[UUID(int=number)] = name
            self._engine.put_supply(UUID(int=number), facts, views, weigh=False)
        self._engine.adopt(self._engine.freeze(1))
        self.seconds = time.perf_counter() - started

    def rank(self, profile: DemandProfile) -> list[str]:
        """Return the best documents for a query."""
        views, demand_id = views_of(profile), UUID(int=0)
        self._engine.put_demand(demand_id, demand_facts(profile, views), views)
        found = self._engine.rank(demand_id)
        self._engine.drop_demand(demand_id)
        return [self._names[pair.supply_id] for pair in found.listed]


class PlainBm25:
    """What a search box without any knowledge of languages does: BM25 on lower-case words."""

    def __init__(self, corpus: Corpus) -> None:
        self._names = [name for name, _ in corpus]
        self._ids: dict[str, int] = {}
        counts = [Counter(_words(profile.description or "")) for _, profile in corpus]
        lengths = np.array([sum(each.values()) for each in counts], float)
        room = K1 * (1 - B + B * lengths / lengths.mean())
        places = [self._ids.setdefault(w, len(self._ids)) for each in counts for w in each]
        rows = np.repeat(np.arange(len(counts)), [len(each) for each in counts])
        often = np.array([number for each in counts for number in each.values()], float)
        weights = often * (K1 + 1) / (often + room[rows])
        matrix = sparse.csr_array((weights, (rows, places)), (len(counts), len(self._ids)))
        seen = np.bincount(places, minlength=len(self._ids))
        rarity = np.log(1 + (len(counts) - seen + 0.5) / (seen + 0.5))
        self._matrix = sparse.csc_array(matrix * rarity)

    def rank(self, profile: DemandProfile) -> list[str]:
        words = [self._ids[w] for w in _words(profile.description or "") if w in self._ids]
        query = np.zeros(len(self._ids))
        np.add.at(query, words, 1.0)
        scores = self._matrix @ query
        best = np.lexsort((np.arange(len(scores)), -scores))[:DEPTH]
        return [self._names[place] for place in best if scores[place] > 0]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def mrr(ranked: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Return one over the place of the first relevant document."""
    places = (place for place, item in enumerate(ranked[:depth], start=1) if item in grades)
    return 1 / next(places, math.inf)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean."""
    dice = random.Random(1)
    means = sorted(
        math.fsum(dice.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES)
    )
    return round(means[int(0.025 * RESAMPLES)], 4), round(means[int(0.975 * RESAMPLES)], 4)


def without_marks(profile: DemandProfile) -> DemandProfile:
    """Return a query as somebody types it on a keyboard without Vietnamese."""
    bare = {name: strip_marks(getattr(profile, name)) for name in ("title", "description")}
    return profile.model_copy(update=bare)


def measure(
    chosen: RetrievalSet, product: Product, plain: PlainBm25, *, marks: bool = True
) -> dict[str, Any]:
    """Return the figures of one set; `same_language10` is the share of the first ten places that
    are in the query's language, where there is a choice."""
    found: dict[str, list[float]] = {"ndcg10": [], "recall100": [], "mrr10": [], "bm25_ndcg10": []}
    same, seconds = [], []
    for row in chosen.demands():
        grades = chosen.relevant.get(row["source_ref"]["ref"])
        if not grades:
            continue
        query = profile_of(row, DemandProfile)
        query = query if marks else without_marks(query)
        started = time.perf_counter()
        ranked = product.rank(query)
        seconds.append(time.perf_counter() - started)
        same += [product.languages[name] == query.language for name in ranked[:10]]
        found["ndcg10"].append(ndcg(ranked, grades, 10))
        found["recall100"].append(recall(ranked, grades, DEPTH))
        found["mrr10"].append(mrr(ranked, grades))
        found["bm25_ndcg10"].append(ndcg(plain.rank(query), grades, 10))
    if not seconds:
        raise UsageError(f"{chosen.name} has no judged queries in this split.")
    means = {name: round(math.fsum(values) / len(values), 4) for name, values in found.items()}
    ms = round(1000 * sorted(seconds)[len(seconds) // 2], 1)
    figures = {"n": len(seconds), **means, "ci": interval(found["ndcg10"]), "rank_ms": ms}
    if len(set(product.languages.values())) > 1:
        figures["same_language10"] = round(sum(same) / len(same), 4) if same else None
    return figures


def compare_with_controls(figures: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """Give each set that has a control its share of it, and yield set, control and share."""
    for control in [name for name in figures if _CONTROL in name and NO_MARKS not in name]:
        name = control.split(_CONTROL)[0]
        best = figures[control]["ndcg10"]
        for each in (name, name + NO_MARKS):
            if each in figures and best:
                share = figures[each]["of_control"] = round(figures[each]["ndcg10"] / best, 4)
                yield each, control, share


def sets_in(folder: Path, split: str, wanted: Sequence[str]) -> list[RetrievalSet]:
    """Return the sets of a folder; UsageError when there is none."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not there. Give the folder of retrieval sets: DATA=<folder>")
    names = wanted or sorted(each.parent.name for each in folder.glob("*/META.json"))
    if not names:
        raise UsageError(f"{folder} holds no retrieval set (<set>/META.json).")
    return [RetrievalSet.read(folder / name, split) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of sets")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--sets", nargs="*", default=[], help="only these")
    given = parser.parse_args()
    console = Console(width=130)
    table = Table("set", *_COLUMNS)
    figures: dict[str, dict[str, Any]] = {}
    try:
        chosen = sets_in(given.data, given.split, given.sets)
        for corpus_file in dict.fromkeys(each.corpus for each in chosen):
            together = [each for each in chosen if each.corpus == corpus_file]
            corpus = [
                (row["source"]["ref"], profile_of(row, SupplyProfile))
                for row in together[0].supplies()
            ]
            product, plain = Product(corpus), PlainBm25(corpus)
            print(
                f"{corpus_file.parent.name}: {len(corpus):,} documents analysed and indexed"
                f" in {product.seconds:.1f} s",
                file=sys.stderr,
            )
            for each in together:
                figures[each.name] = measure(each, product, plain)
                if any(query.get("lang") == "vi" for query in each.queries):
                    bare = measure(each, product, plain, marks=False)
                    figures[each.name + NO_MARKS] = bare
    except UsageError as error:
        console.print(f"[red]{error}[/]")
        sys.exit(2)
    for name, found in figures.items():
        table.add_row(name, *(str(found.get(column, "")) for column in _COLUMNS.values()))
    console.print(table)
    for name, control, share in compare_with_controls(figures):
        console.print(f"{name} reaches {share:.2f} of {control}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
