"""A text in numbers, and the BM25 weights that make documents and queries of it.

All weights are whole numbers, so a sum is the same in whatever order it is made: forward,
in reverse, incrementally or rebuilt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.views import UNIT, View

K1 = 1.2
B = 0.75
K3 = 8.0
KIND_WEIGHTS = np.array([1.0, 0.5, 0.5, 0.8, 0.15, 0.03, 0.0])
"""Word, syllable, its shadow, pair of shadows, concept, family, unit: a syllable as written and its
shadow are a word together, pairs are words where syllables are ambiguous, and a concept comes on
top of the words that name it, which one language shares anyway."""

MAX_QUERY_TERMS = 512
_IMPACT = 256
QUERY_UNIT = 1000

IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TextVector:
    """A view with term ids for terms, sorted by id."""

    language: str
    marked: bool
    length: int
    ids: IntArray
    frequencies: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class TermSets:
    """How a query's terms are sets: each of so many, for one of the demand's own terms."""

    lengths: IntArray
    asked: IntArray


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A demand's text as a query; `self_score` is what the text itself would score as a supply.

    With `sets` only the best term of each counts. Only supplies in a language of the `audience` are
    asked, all when there is none.
    """

    ids: IntArray
    weights: IntArray
    self_score: int
    sets: TermSets | None = None
    audience: frozenset[str] | None = None

    def summed(self) -> tuple[IntArray, IntArray]:
        """Return each term with its weights' sum: by these a supply scores the same or more."""
        if self.sets is None:
            return self.ids, self.weights
        ids, where = np.unique(self.ids, return_inverse=True)
        sums = np.zeros(len(ids), np.int32)
        np.add.at(sums, where, self.weights)
        return ids, sums


def vector_of(view: View, lexicon: Lexicon) -> TextVector:
    ids = lexicon.intern(view.terms)
    order = np.argsort(ids)
    return TextVector(view.language, view.marked, view.length, ids[order], view.frequencies[order])


def impacts(vector: TextVector | View, average_length: float) -> IntArray:
    """Return BM25's term-frequency part, at most (K1 + 1) · 256."""
    frequency = vector.frequencies / UNIT
    room = K1 * (1 - B + B * (vector.length / average_length))
    return np.rint(_IMPACT * (K1 + 1) * frequency / (frequency + room)).astype(np.int32)


def document(
    views: tuple[TextVector, ...], averages: tuple[float, ...]
) -> tuple[IntArray, IntArray]:
    """Return a supply's ids and impacts; a term of two languages keeps its larger impact."""
    if len(views) == 1:
        return views[0].ids, impacts(views[0], averages[0])
    if not views:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    ids = np.concatenate([view.ids for view in views])
    values = np.concatenate(
        [impacts(view, average) for view, average in zip(views, averages, strict=True)]
    )
    unique, where = np.unique(ids, return_inverse=True)
    merged = np.zeros(len(unique), np.int32)
    np.maximum.at(merged, where, values)
    return unique, merged


def query(
    view: TextVector,
    average_length: float,
    rarities: NDArray[np.float64],
    kinds: NDArray[np.uint8],
) -> QueryVector:
    """Weigh a demand's terms; terms younger than the statistics are as rare as can be."""
    known = view.ids < len(rarities)
    rarity = np.where(known, rarities[np.where(known, view.ids, 0)], 1.0) if len(rarities) else 1.0
    frequency = view.frequencies / UNIT
    weight = rarity * (K3 + 1) * frequency / (frequency + K3)
    weight = weight * KIND_WEIGHTS[kinds]
    weights = np.rint(QUERY_UNIT / 4 * weight).astype(np.int32)
    ids, own = view.ids, impacts(view, average_length)
    if not weights.all():
        asked = weights > 0
        ids, weights, own = ids[asked], weights[asked], own[asked]
    if len(ids) > MAX_QUERY_TERMS:
        keep = np.sort(np.lexsort((ids, -weights))[:MAX_QUERY_TERMS])
        ids, weights, own = ids[keep], weights[keep], own[keep]
    self_score = int(np.dot(weights.astype(np.int64), own.astype(np.int64)))
    return QueryVector(ids, weights, max(1, self_score))
