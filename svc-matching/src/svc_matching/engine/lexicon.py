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


class Lexicon:
    """Term ↔ id, and the pool of each term."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._terms: list[str] = []
        self._pools = bytearray()
        self._shadows = bytearray()

    def __len__(self) -> int:
        return len(self._terms)

    def intern(self, terms: Iterable[str]) -> NDArray[np.int32]:
        """Return the ids of `terms`, giving new ones their own."""
        known = self._ids
        found = []
        for term in terms:
            number = known.get(term)
            if number is None:
                number = known[term] = len(self._terms)
                self._terms.append(term)
                self._pools.append(POOLS.index(pool_of(term)))
                self._shadows.append(term[0] == "~")
            found.append(number)
        return np.array(found, np.int32)

    def term(self, number: int) -> str:
        return self._terms[number]

    def terms(self) -> list[str]:
        return self._terms

    def pools(self) -> NDArray[np.uint8]:
        """Return the pool number of every term, as of now."""
        return np.array(self._pools, np.uint8)

    def are_shadows(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether each term is a Vietnamese form without marks."""
        shadows = np.frombuffer(bytes(self._shadows), np.uint8)
        return shadows[ids].astype(bool)
