"""Which terms made a pair relevant, with the shadows and syllables of one word put together.

Found anew from both texts whenever somebody reads a match, by the weights that ranked it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.vectors import (
    IntArray,
    QueryVector,
    TextVector,
    document,
    overlap,
    query,
    vector_of,
)
from svc_matching.engine.vietnamese import fold
from svc_matching.engine.views import View
from svc_matching.engine.weights import MILLION

MAX_CONCEPTS = 8
MAX_TERMS = 40
"""Terms looked at for the concepts, the strongest first: the tail never makes one of eight."""


@dataclass(frozen=True, slots=True)
class MatchedTerm:
    """A shared term and its share of the term relevance, in millionths."""

    term: str
    share: int


class DemandText:
    """A demand's text, ready to be compared with the texts of supplies."""

    def __init__(self, views: Sequence[View], frozen: Frozen) -> None:
        self._frozen = frozen
        self._lexicon = Lexicon()
        vectors = [vector_of(view, self._lexicon) for view in views]
        rarities = frozen.rarities_of(self._lexicon.terms())
        self._queries = [self._query(vector, rarities) for vector in vectors]

    def _query(self, vector: TextVector, rarities: NDArray[np.float64]) -> QueryVector:
        average = self._frozen.statistics.average_length(vector.language)
        return query(vector, average, rarities, self._lexicon.kinds(vector.ids))

    def matched(self, supply: Sequence[View]) -> tuple[MatchedTerm, ...]:
        """Return the shared terms, strongest first, in the demand's language that fits best."""
        row = self._document(supply)
        best: tuple[float, IntArray, NDArray[np.int64]] | None = None
        for each in self._queries:
            ids, parts = overlap(each.ids, each.weights, *row)
            share = parts.sum() / each.self_score
            if len(ids) and (best is None or share > best[0]):
                best = share, ids, parts
        if best is None:
            return ()
        _, ids, parts = best
        total = int(parts.sum())
        strong = np.lexsort((ids, -parts))[:MAX_TERMS]
        grouped = _group(
            {
                self._lexicon.term(number): int(parts[place])
                for place, number in zip(strong.tolist(), ids[strong].tolist(), strict=True)
            }
        )
        strongest = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))[:MAX_CONCEPTS]
        return tuple(MatchedTerm(term, round(MILLION * part / total)) for term, part in strongest)

    def _document(self, supply: Sequence[View]) -> tuple[IntArray, IntArray]:
        """Return the supply's impacts, for the demand's terms only."""
        vectors = []
        for view in supply:
            ids = self._lexicon.find(view.terms)
            order = np.argsort(ids)[np.count_nonzero(ids < 0) :]
            vectors.append(
                TextVector(
                    view.language, view.marked, view.length, ids[order], view.frequencies[order]
                )
            )
        averages = [self._frozen.statistics.average_length(view.language) for view in supply]
        return document(tuple(vectors), tuple(averages))


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
