"""Which terms made a pair relevant, with the shadows and syllables of one word put together.

Found anew from both texts whenever somebody reads a match, by the weights that ranked it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.queries import queries_of
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.tagging import CONCEPT, broader_terms
from svc_matching.engine.translations import UNIT
from svc_matching.engine.vectors import QueryVector, impacts, vector_of
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
Asked = tuple[str, list[tuple[str, int]]]


class SupplyText:
    """A supply's text, ready to be compared with demands; its impacts are kept for one epoch."""

    def __init__(self, views: Sequence[View]) -> None:
        self.languages = frozenset(view.language for view in views)
        self._views = views
        self._weighed: tuple[Frozen, dict[str, int]] | None = None

    def impacts(self, frozen: Frozen) -> Mapping[str, int]:
        """Return each term's impact; a term of two languages keeps its larger one."""
        weighed = self._weighed
        if weighed is None or weighed[0] is not frozen:
            found: dict[str, int] = {}
            for view in self._views:
                average = frozen.statistics.average_length(view.language)
                own = dict(zip(view.terms, impacts(view, average).tolist(), strict=True))
                for term in found.keys() & own.keys():
                    own[term] = max(own[term], found[term])
                found |= own
            self._weighed = weighed = frozen, found
        return weighed[1]


class DemandText:
    """A demand's text, ready to be compared with the texts of supplies."""

    def __init__(self, views: Sequence[View], frozen: Frozen) -> None:
        lexicon = Lexicon()
        vectors = [vector_of(view, lexicon) for view in views]
        self._frozen = frozen
        self._asked = [
            (each, _sets_of(each, lexicon)) for each in queries_of(vectors, lexicon, frozen)
        ]

    def matched(self, supply: SupplyText) -> tuple[MatchedTerm, ...]:
        """Return the shared terms, strongest first, of the query that the supply answers best."""
        impacts_of = supply.impacts(self._frozen)
        best: tuple[float, dict[Met, int]] | None = None
        for query, sets in self._asked:
            if query.audience is not None and not query.audience & supply.languages:
                continue
            parts = _parts(sets, impacts_of)
            share = sum(parts.values()) / query.self_score
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


def _sets_of(query: QueryVector, lexicon: Lexicon) -> list[Asked]:
    """Return each term that is asked, with the terms that answer it and what each weighs."""
    terms = [lexicon.term(number) for number in query.ids.tolist()]
    words = list(zip(terms, query.weights.tolist(), strict=True))
    if query.sets is None:
        return [(word[0], [word]) for word in words]
    asked = [lexicon.term(number) for number in query.sets.asked.tolist()]
    bounds = pairwise([0, *np.cumsum(query.sets.lengths).tolist()])
    return [(each, words[first:last]) for each, (first, last) in zip(asked, bounds, strict=True)]


def _parts(sets: Sequence[Asked], supply: Mapping[str, int]) -> dict[Met, int]:
    """Return what each pair of terms adds to the score: of a set only the best counts."""
    parts: dict[Met, int] = {}
    for asked, answers in sets:
        best, found = 0, ""
        for term, weight in answers:
            if term in supply and (score := weight * supply[term]) > best:
                best, found = score, term
        if best:
            parts[asked, found] = best
    return parts


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
