"""Which terms made a pair relevant, with the shadows and syllables of one word put together."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.vectors import IntArray, overlap
from svc_matching.engine.vietnamese import fold
from svc_matching.engine.weights import MILLION

MAX_CONCEPTS = 8
MAX_TERMS = 40
"""Terms looked at for the concepts, the strongest first: the tail never makes one of eight."""


@dataclass(frozen=True, slots=True)
class MatchedTerm:
    """A shared term and its share of the term relevance, in millionths."""

    term: str
    share: int


@dataclass(frozen=True, slots=True)
class TermMatch:
    """The shared terms, strongest first, and how much of the demand's weight they cover."""

    terms: tuple[MatchedTerm, ...]
    coverage: int


def matched_terms(
    demand: DemandEntry, row: tuple[IntArray, IntArray], lexicon: Lexicon
) -> TermMatch:
    """Explain the term relevance of one pair in the language of the demand that fits best."""
    best: tuple[float, IntArray, NDArray[np.int64], float] | None = None
    for query in demand.queries:
        ids, parts = overlap(query.ids, query.weights, *row)
        share = parts.sum() / query.self_score
        if len(ids) and (best is None or share > best[0]):
            met = overlap(query.ids, query.weights, ids, ids * 0 + 1)[1].sum()
            best = share, ids, parts, met / max(1, int(query.weights.sum()))
    if best is None:
        return TermMatch((), 0)
    _, ids, parts, coverage = best
    total = int(parts.sum())
    strong = np.lexsort((ids, -parts))[:MAX_TERMS]
    grouped = _group(
        {
            lexicon.term(number): int(parts[place])
            for place, number in zip(strong.tolist(), ids[strong].tolist(), strict=True)
        }
    )
    strongest = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))[:MAX_CONCEPTS]
    return TermMatch(
        tuple(MatchedTerm(term, round(MILLION * part / total)) for term, part in strongest),
        round(MILLION * coverage),
    )


def _group(parts: dict[str, int]) -> dict[str, int]:
    """Add shadows to the exact form, and lone syllables to the strongest bigram they are in."""
    merged: dict[str, int] = {}
    exact = {_shadow(term): term for term in parts if term[0] == "="}
    for term, part in parts.items():
        home = exact.get(term, term)
        merged[home] = merged.get(home, 0) + part
    pairs = sorted((t for t in merged if "_" in t), key=lambda t: (-merged[t], t))
    for pair in pairs:
        prefix = pair[0]
        for syllable in pair[1:].split("_"):
            part = merged.pop(prefix + syllable, 0)
            merged[pair] += part
    return merged


@lru_cache(maxsize=65_536)
def _shadow(term: str) -> str:
    return "~" + "_".join(fold(part) for part in term[1:].split("_"))
