"""Ranking measures: nDCG with gains 2^grade − 1 (Järvelin & Kekäläinen 2002), and recall."""

import math
from collections.abc import Mapping, Sequence


def ndcg(ranked: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """Return the discounted gain of the first `depth` places over the best possible one."""
    best = _gain(sorted(grades.values(), reverse=True)[:depth])
    return _gain([grades.get(item, 0) for item in ranked[:depth]]) / best if best else 0.0


def _gain(grades: Sequence[int]) -> float:
    return math.fsum(
        (2**grade - 1) / math.log2(place) for place, grade in enumerate(grades, start=2)
    )


def recall(ranked: Sequence[str], grades: Mapping[str, int], depth: int) -> float:
    """Return the share of relevant items that stand in the first `depth` places."""
    return len(grades.keys() & set(ranked[:depth])) / len(grades) if grades else 0.0
