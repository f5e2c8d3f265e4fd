"""What each part of the language analysis adds: rank the judged sets without it.

`python -m quality.ablation <folder of sets> --sets …` prints nDCG@10 of the whole, and for each
part the difference that leaving it out makes, with the 95 % bootstrap interval of the paired
differences, as rows of a Markdown table. Sets with Vietnamese queries are asked with and without
marks.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ketnoi.operator.ranking_quality import ndcg
from ketnoi.operator.retrieval_set import RetrievalSet
from quality.measure import Product, interval, profile_of, sets_in, without_marks
from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from svc_matching.engine import analysers, demand_index, lexicon, translations, vectors, views
from svc_matching.engine.engine import Engine
from svc_matching.engine.in_use import reading_with
from svc_matching.engine.queries import queries_of
from svc_matching.engine.statistics import Statistics
from svc_matching.engine.vectors import QueryVector
from svc_matching.engine.vocabulary import load_vocabulary

Patch = tuple[object, str, Any]


def _without_pairs() -> list[Patch]:
    weights = vectors.KIND_WEIGHTS.copy()
    weights[lexicon.SHADOW_PAIR] = 0
    return [(vectors, "KIND_WEIGHTS", weights)]


def _same(text: str) -> str:
    return text


def _nothing(*_: object) -> dict[str, float]:
    return {}


def _one_pool() -> list[Patch]:
    """One scale of rarity, one average length, and scores that are compared as they are."""
    freeze = Engine.freeze

    def frozen(engine: Engine, epoch: int) -> Statistics:
        found = freeze(engine, epoch)
        mean = sum(found.lengths.values()) / max(1, len(found.lengths))
        return replace(
            found,
            pools=dict.fromkeys(lexicon.POOLS, found.documents),
            lengths=dict.fromkeys(found.lengths, mean),
        )

    def raw(*arguments: Any) -> tuple[QueryVector, ...]:
        found = queries_of(*arguments)
        return tuple(replace(each, self_score=found[0].self_score) for each in found)

    return [(Engine, "freeze", frozen), (demand_index, "queries_of", raw)]


PARTS: dict[str, Callable[[], list[Patch]]] = {
    "folding (shadows, marks restored)": lambda: [
        (analysers, "fold", _same),
        (views, "restore", _same),
    ],
    "marks restored": lambda: [(views, "restore", _same)],
    "pairs of syllables": _without_pairs,
    "numbers": lambda: [(analysers, "_number", lambda _: [])],
    "vocabulary (concepts, their labels as translations)": lambda: [
        (views, "concepts_in", _nothing),
        (translations, "_labels", _nothing),
    ],
    "lexicon (translated questions)": lambda: [(views, "units_in", _nothing)],
    "broader": lambda: [(views, "broader_terms", lambda _: ())],
    "language-fair pools": _one_pool,
}


@contextmanager
def without(patches: Sequence[Patch]) -> Iterator[None]:
    """Leave a part out; what is remembered of the whole is neither used nor changed."""
    with ExitStack() as stack:
        for target, name, value in patches:
            stack.enter_context(patch.object(target, name, value))
        _forget_terms()
        # A copy of the vocabulary has its own memory of all that is derived from it.
        stack.enter_context(reading_with(replace(load_vocabulary())))
        yield
    _forget_terms()


def _forget_terms() -> None:
    for value in vars(analysers).values():
        if callable(clear := getattr(value, "cache_clear", None)):
            clear()


def ranked(chosen: RetrievalSet, product: Product, *, marks: bool) -> list[float]:
    """Return nDCG@10 of each judged query."""
    values = []
    for row in chosen.demands():
        if grades := chosen.relevant.get(row["source_ref"]["ref"]):
            query = profile_of(row, DemandProfile)
            query = query if marks else without_marks(query)
            values.append(ndcg(product.rank(query), grades, 10))
    return values


def values_of(
    chosen: RetrievalSet, corpus: list[tuple[str, SupplyProfile]]
) -> dict[str, list[float]]:
    """Return the values of a set, with marks and, if there are any, without."""
    product = Product(corpus)
    found = {chosen.name: ranked(chosen, product, marks=True)}
    if any(query.get("lang") == "vi" for query in chosen.queries):
        found[f"{chosen.name}, no marks"] = ranked(chosen, product, marks=False)
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder of sets")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--sets", nargs="*", default=[], help="only these")
    given = parser.parse_args()
    for chosen in sets_in(given.data, given.split, given.sets):
        corpus = [
            (row["source"]["ref"], profile_of(row, SupplyProfile)) for row in chosen.supplies()
        ]
        whole = values_of(chosen, corpus)
        for name, values in whole.items():
            low, high = interval(values)
            print(f"| {name} | whole | {_mean(values):.3f} | {low:.3f} to {high:.3f} |", flush=True)
        for part, patches in PARTS.items():
            with without(patches()):
                lacking = values_of(chosen, corpus)
            for name, values in lacking.items():
                lost = [one - other for one, other in zip(values, whole[name], strict=True)]
                low, high = interval(lost)
                line = (
                    f"| {name} | without {part} | {_mean(lost):+.3f} | {low:+.3f} to {high:+.3f} |"
                )
                print(line, flush=True)


if __name__ == "__main__":
    main()
