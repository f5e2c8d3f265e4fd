"""What a match row keeps of a pair: numbers only; words are made of them when somebody reads."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from shared.contracts.matches import Component, Family, Gate
from svc_matching.domain.words import PRICE_LINE
from svc_matching.engine.arrays import Slots
from svc_matching.engine.gates import GATE_NAMES
from svc_matching.engine.pairs import Pair
from svc_matching.engine.scoring import Block, break_down, confidence
from svc_matching.engine.weights import COMPONENTS, DENSE, FAMILIES, MILLION, Weights

_COMPONENTS = TypeAdapter(list[Component])
_NUMBER = np.dtype("<i4")
_NEUTRAL = MILLION // 2
_UNKNOWN = -1
"""Stands for a value that is not known, which counts a neutral half."""

_NAMED = list(zip(COMPONENTS, FAMILIES, strict=True))
_WITHOUT_DENSE = [named for place, named in enumerate(_NAMED) if place != DENSE]
"""What a pair is made of where no embedder is configured, and was before there were any."""


@dataclass(frozen=True, slots=True)
class Features:
    """`components` are values, weights and contributions in millionths, as bytes."""

    components: bytes
    confidence: int


def pack_features(pairs: Sequence[Pair], weights: Weights) -> list[Features]:
    """Return the compact features of freshly scored pairs."""
    found: list[Features] = [Features(b"", 0)] * len(pairs)
    blocks: dict[int, tuple[Block, list[int]]] = {}
    for number, pair in enumerate(pairs):
        if pair.block is None:
            raise ValueError("the pair was not scored just now")
        blocks.setdefault(id(pair.block), (pair.block, []))[1].append(number)
    for block, numbers in blocks.values():
        places = np.array([pairs[number].place for number in numbers], np.int64)
        for number, features in zip(numbers, _pack(block, places, weights), strict=True):
            found[number] = features
    return found


def _pack(block: Block, places: Slots, weights: Weights) -> list[Features]:
    looks = block.looks
    values, known = looks.values[places], looks.known[places]
    parts = break_down(looks.scores[places], looks.relevance[places], values, known, weights)
    shown = np.where(known, parts.values, _UNKNOWN)
    rows = np.stack([shown, parts.weights, parts.contributions], axis=1).astype(_NUMBER)
    if not weights.dense:
        rows = np.delete(rows, DENSE, axis=2)
    sure = confidence(known, weights).tolist()
    return [Features(row.tobytes(), each) for row, each in zip(rows, sure, strict=True)]


def values_of(packed: bytes) -> list[int | None]:
    """Return each component's value in millionths; None when it was not known."""
    (values, *_), named = _read(packed)
    known = {name: value for (name, _), value in zip(named, values, strict=True)}
    found = [known.get(name, _UNKNOWN) for name in COMPONENTS]
    return [None if value == _UNKNOWN else value for value in found]


def _read(packed: bytes) -> tuple[list[list[int]], list[tuple[str, Family]]]:
    """Return the three rows, and what their columns are called."""
    rows = np.frombuffer(packed, _NUMBER).reshape(3, -1)
    return rows.tolist(), _NAMED if rows.shape[1] == len(_NAMED) else _WITHOUT_DENSE


def components_of(packed: bytes) -> list[Component]:
    """Read the components back; their contributions add up to the score exactly."""
    rows, named = _read(packed)
    # One call for all of them: a list of matches has hundreds.
    return _COMPONENTS.validate_python(
        [
            {
                "name": name,
                "family": family,
                "value": (_NEUTRAL if value == _UNKNOWN else value) / MILLION,
                "weight": weight / MILLION,
                "contribution": contribution / MILLION,
                "known": value != _UNKNOWN,
            }
            for (name, family), value, weight, contribution in zip(named, *rows, strict=True)
        ]
    )


def priced(components: list[Component], charge: int) -> list[Component]:
    """Return components with a line for what the capacity price took off, in millionths.

    It has no weight: it is no part of the mean that weights make.
    """
    if not charge:
        return components
    share = charge / MILLION
    line = Component(
        name=PRICE_LINE,
        family=Family.MARKET,
        value=share,
        weight=0,
        contribution=-share,
        known=True,
    )
    return [*components, line]


_PASSED = [Gate(name=name, passed=True) for name in GATE_NAMES.values()]


def passed_gates() -> list[Gate]:
    """Return the gates of a listed pair: it passed them all."""
    return _PASSED.copy()
