"""How near two embeddings are, in numbers that are the same wherever and whenever they are made.

An embedding is whole numbers of one byte, so products are exact. Beside it stands a signature: on
which side of some hundred fixed planes it lies. The share of planes between two embeddings tells
their angle but for chance; with a margin for chance it gives a ceiling that costs a few words to
look at. A nearness is never above its ceiling, by definition: so ceilings choose who is looked at,
and the nearness of a pair depends on the pair alone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from hashlib import shake_256
from math import cos, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.arrays import Column, Known, Slots, Values, unknown

MOST_PLANES = 384
NOTHING, ALIKE = 0.1, 0.9
"""The cosines from which, and up to which, a nearness rises from 0 to 1."""

_MARGIN = 4.0
"""Standard deviations by which chance may make two embeddings look further apart than they are."""

_WORD = 64
_EXACT = 1024
"""So many products of two bytes add up exactly in a float of 32 bits."""

_ROWS = 4096
"""Embeddings that are multiplied at once, for the sake of memory."""

Numbers = NDArray[np.int8]
Signature = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """One embedding: its numbers, the sum of their squares, its signature."""

    numbers: Numbers
    square: float
    signature: Signature


def planes_of(dimensions: int) -> int:
    """Return how many planes a signature has."""
    return min(MOST_PLANES, dimensions)


@lru_cache(maxsize=2)
def _planes(dimensions: int) -> NDArray[np.float32]:
    """Return planes by column, each number 1 or -1; drawn once and for all."""
    size = dimensions * planes_of(dimensions)
    drawn = np.frombuffer(shake_256(b"ketnoi planes 1").digest(size // 8 + 1), np.uint8)
    signs = 2.0 * np.unpackbits(drawn)[:size] - 1.0
    return signs.astype(np.float32).reshape(dimensions, -1)


@lru_cache(maxsize=2)
def _ceilings(planes: int) -> Values:
    """Return the greatest nearness for each number of planes between two embeddings."""
    margin = _MARGIN * sqrt(planes) / 2
    shares = [max(0.0, between - margin) / planes for between in range(planes + 1)]
    return _nearness(np.array([cos(pi * share) for share in shares]))


def _nearness(cosines: Values) -> Values:
    return np.clip((cosines - NOTHING) / (ALIKE - NOTHING), 0.0, 1.0)


def read_embeddings(packed: Collection[bytes]) -> list[Embedding]:
    """Read what `pack_embeddings` wrote; all are of one length."""
    if not packed:
        return []
    numbers = np.frombuffer(b"".join(packed), np.int8).reshape(len(packed), -1)
    squares = np.square(numbers, dtype=np.int64).sum(axis=1).astype(np.float64)
    # At most 4096 · 127, so a sum is exact in whatever order it is made.
    sides = numbers.astype(np.float32) @ _planes(numbers.shape[1]) > 0
    words = -(-sides.shape[1] // _WORD)
    padded = np.zeros((len(packed), words * _WORD), np.bool_)
    padded[:, : sides.shape[1]] = sides
    signatures = np.packbits(padded, axis=1).view(np.uint64)
    return [Embedding(*each) for each in zip(numbers, squares.tolist(), signatures, strict=True)]


class EmbeddingRows:
    """Slot → embedding. All are of one length, which the first one sets until `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._numbers = np.zeros((0, 0), np.int8)
        self._squares = np.ones(0)
        self._signatures = np.zeros((0, 0), np.uint64)
        self._known = np.zeros(0, np.bool_)

    def put(self, slot: int, embedding: Embedding) -> None:
        if slot >= len(self._known):
            self._grow(max(64, 2 * slot), embedding)
        self._numbers[slot] = embedding.numbers
        self._squares[slot] = embedding.square
        self._signatures[:, slot] = embedding.signature
        self._known[slot] = True

    def _grow(self, size: int, like: Embedding) -> None:
        held = len(self._known)
        numbers = np.zeros((size, len(like.numbers)), np.int8)
        signatures = np.zeros((len(like.signature), size), np.uint64)
        if held:
            numbers[:held], signatures[:, :held] = self._numbers, self._signatures
        more = size - held
        self._numbers, self._signatures = numbers, signatures
        self._squares = np.append(self._squares, np.ones(more))
        self._known = np.append(self._known, np.zeros(more, np.bool_))

    def drop(self, slot: int) -> None:
        if slot < len(self._known):
            self._known[slot] = False

    def get(self, slot: int) -> Embedding | None:
        if slot >= len(self._known) or not self._known[slot]:
            return None
        numbers, square = self._numbers[slot].copy(), float(self._squares[slot])
        return Embedding(numbers, square, self._signatures[:, slot].copy())

    def ceilings(self, embedding: Embedding | None, slots: Slots) -> Column:
        """Return how near each slot can be at most, and whether it has an embedding at all."""
        if embedding is None:
            return unknown(len(slots))
        values, known, places = self._met(slots)
        if len(places):
            values[places] = self._below(embedding, slots[places])
        return values, known

    def nearness(self, embedding: Embedding | None, slots: Slots) -> Column:
        """Return how near each slot is, from 0 to 1."""
        if embedding is None:
            return unknown(len(slots))
        values, known, places = self._met(slots)
        if len(places):
            found = slots[places]
            cosines = self._dots(embedding, found) / np.sqrt(
                self._squares[found] * embedding.square
            )
            values[places] = np.minimum(_nearness(cosines), self._below(embedding, found))
        return values, known

    def lift(
        self, about: Values, terms: Values, embedding: Embedding | None, weight: float
    ) -> Values:
        """Add to the relevance of all slots from 0 on the most that their embeddings can give.

        One that is unknown gives its weight to the terms; see `close_look`.
        """
        if not weight:
            return about
        values, known = self.ceilings(embedding, np.arange(len(about)))
        return np.minimum(about + weight * np.where(known, values, terms), 1.0)

    def _met(self, slots: Slots) -> tuple[Values, Known, Slots]:
        values, known = unknown(len(slots))
        inside = slots < len(self._known)
        known[inside] = self._known[slots[inside]]
        return values, known, np.flatnonzero(known)

    def _below(self, embedding: Embedding, slots: Slots) -> Values:
        between = np.zeros(len(slots), np.uint16)
        for word, signatures in zip(embedding.signature, self._signatures, strict=True):
            between += np.bitwise_count(signatures[slots] ^ word)
        return _ceilings(planes_of(len(embedding.numbers)))[between]

    def _dots(self, embedding: Embedding, slots: Slots) -> Values:
        total = np.zeros(len(slots))
        wanted = embedding.numbers.astype(np.float32)
        for first in range(0, len(slots), _ROWS):
            rows = self._numbers[slots[first : first + _ROWS]].astype(np.float32)
            for start in range(0, len(wanted), _EXACT):
                part = slice(start, start + _EXACT)
                total[first : first + _ROWS] += rows[:, part] @ wanted[part]
        return total
