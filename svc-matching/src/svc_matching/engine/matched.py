"""Which terms made a pair relevant, with the shadows and syllables of one word put together.

Found anew from both texts whenever somebody reads a match, by the weights that ranked it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.queries import queries_of
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.tagging import CONCEPT, broader_terms
from svc_matching.engine.translations import UNIT
from svc_matching.engine.vectors import (
    IntArray,
    QueryVector,
    TextVector,
    best_of_sets,
    document,
    overlap,
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
    """A term of the demand, the term of the supply it met, and its share of the term relevance.

    Shares are in millionths. The two terms differ where a word met its translation.
    """

    term: str
    found: str
    share: int


Met = tuple[str, str]


class DemandText:
    """A demand's text, ready to be compared with the texts of supplies."""

    def __init__(self, views: Sequence[View], frozen: Frozen) -> None:
        self._frozen = frozen
        self._lexicon = Lexicon()
        vectors = [vector_of(view, self._lexicon) for view in views]
        self._queries = queries_of(vectors, self._lexicon, frozen)

    def matched(self, supply: Sequence[View]) -> tuple[MatchedTerm, ...]:
        """Return the shared terms, strongest first, of the query that the supply answers best."""
        row = self._document(supply)
        languages = {view.language for view in supply}
        best: tuple[float, dict[Met, int]] | None = None
        for each in self._queries:
            if each.audience is not None and not each.audience & languages:
                continue
            parts = self._parts(each, *row)
            share = sum(parts.values()) / each.self_score
            if parts and (best is None or share > best[0]):
                best = share, parts
        if best is None:
            return ()
        parts = best[1]
        total = sum(parts.values())
        strong = sorted(parts.items(), key=lambda item: (-item[1], item[0]))[:MAX_TERMS]
        grouped = _group(dict(strong))
        strongest = sorted(grouped.items(), key=lambda item: (-item[1], item[0]))[:MAX_CONCEPTS]
        return tuple(MatchedTerm(*met, round(MILLION * part / total)) for met, part in strongest)

    def _parts(self, asked: QueryVector, ids: IntArray, values: IntArray) -> dict[Met, int]:
        """Return what each pair of terms adds to the score."""
        term = self._lexicon.term
        if asked.sets is None:
            shared, parts = overlap(asked.ids, asked.weights, ids, values)
            pairs = zip(shared.tolist(), shared.tolist(), parts.tolist(), strict=True)
        else:
            found, parts = best_of_sets(asked.sets, ids, values)
            pairs = zip(asked.sets.asked.tolist(), found.tolist(), parts.tolist(), strict=True)
        return {(term(own), term(met)): part for own, met, part in pairs if part > 0}

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


def _group(parts: dict[Met, int]) -> dict[Met, int]:
    """Put together what is one thing to a reader.

    Shadows go to the exact form, lone syllables to the strongest bigram they are in, a family to
    a concept of it, a word inside a longer one to the longer one.
    """
    merged: dict[Met, int] = {}
    families = {
        family: (term, found)
        for term, found in sorted(parts)
        if term[0] == CONCEPT
        for family in broader_terms(term[1:])
    }
    exact = {_shadow(term): (term, found) for term, found in parts if term[0] == "="}
    for (term, found), part in parts.items():
        home = exact.get(term) or families.get(term) or (term, found)
        merged[home] = merged.get(home, 0) + part
    for met in sorted((m for m in merged if "_" in m[0]), key=lambda m: (-merged[m], m)):
        for syllable in met[0][1:].split("_"):
            lone = f"~{syllable}"
            merged[met] += merged.pop(exact.get(lone, (lone, lone)), 0)
    units = sorted((m for m in merged if m[0][0] == UNIT), key=lambda m: (-len(m[0]), m))
    for place, longer in enumerate(units):
        for inner in units[place + 1 :]:
            if longer in merged and inner in merged and _is_inside(inner[0], longer[0]):
                merged[longer] += merged.pop(inner)
    return merged


def _is_inside(inner: str, longer: str) -> bool:
    return f" {inner[1:]} " in f" {longer[1:]} "


@lru_cache(maxsize=65_536)
def _shadow(term: str) -> str:
    return f"~{fold(term[1:])}"
