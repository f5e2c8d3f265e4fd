"""Numbers for terms, shared by both sides of the index; ids only grow within a process."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

POOLS = ("latin", "vi", "ko", "han")


def pool_of(term: str) -> str:
    """Return the pool of texts that a term can occur in, by its script."""
    first = term[0]
    if first in "=~":
        return "vi"
    if first < "\u1100":
        return "latin"
    return "ko" if first < "\u1200" or "\uac00" <= first <= "\ud7af" else "han"


WORD, SYLLABLE, SHADOW, PAIR, SHADOW_PAIR = range(5)
"""Kinds of terms: a word; a Vietnamese syllable, a pair of them, and both without marks."""


def kind_of(term: str) -> int:
    if term[0] not in "=~":
        return WORD
    if "_" in term:
        return SHADOW_PAIR if term[0] == "~" else PAIR
    return SHADOW if term[0] == "~" else SYLLABLE


class Lexicon:
    """Term ↔ id, with the pool and the kind of each term."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._terms: list[str] = []
        self._pools = bytearray()
        self._kinds = bytearray()

    def __len__(self) -> int:
        return len(self._terms)

    def intern(self, terms: Iterable[str]) -> NDArray[np.int32]:
        """Return the ids of `terms`, giving new ones their own."""
        wanted = terms if isinstance(terms, (list, tuple)) else list(terms)
        found = list(map(self._ids.get, wanted))
        if None in found:
            found = [
                self._add(term) if number is None else number
                for term, number in zip(wanted, found, strict=True)
            ]
        return np.array(found, np.int32)

    def _add(self, term: str) -> int:
        number = self._ids.get(term)
        if number is None:
            number = self._ids[term] = len(self._terms)
            self._terms.append(term)
            self._pools.append(POOLS.index(pool_of(term)))
            self._kinds.append(kind_of(term))
        return number

    def term(self, number: int) -> str:
        return self._terms[number]

    def terms(self) -> list[str]:
        return self._terms

    def pools(self) -> NDArray[np.uint8]:
        """Return the pool number of every term, as of now."""
        return np.array(self._pools, np.uint8)

    def kinds(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return the kind of each term."""
        return np.array(self._kinds, np.uint8)[ids]
