"""Numbers for terms, shared by both sides of the index; an id that stays never changes."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

LATIN, ALL = "latin", "all"
POOLS = (LATIN, "vi", "ko", "han", ALL)
"""Texts by script; concepts occur in all of them."""
_POOL_OF_LANGUAGE = {"vi": "vi", "ko": "ko", "ja": "han", "zh": "han"}

WORD, SYLLABLE, SHADOW, SHADOW_PAIR, CONCEPT_KIND, BROADER_KIND, UNIT_KIND = range(7)
KINDS = 7
"""Kinds of terms: a word; a Vietnamese syllable, the same without marks, a pair of those; a concept
and a family of concepts; a word that asks by its translations alone."""

_LATIN, _VIETNAMESE, _KOREAN, _HAN, _ALL = range(len(POOLS))
_SPECIAL = {"#": (_ALL, CONCEPT_KIND), "^": (_ALL, BROADER_KIND), "%": (_VIETNAMESE, UNIT_KIND)}


def pool_of(language: str) -> str:
    """Return the pool that texts of a language are in."""
    return _POOL_OF_LANGUAGE.get(language, LATIN)


def _pool_and_kind(term: str) -> tuple[int, int]:
    """Return the pool of texts that a term can occur in, by its script, and its kind."""
    first = term[0]
    if first in _SPECIAL:
        return _SPECIAL[first]
    if first == "=":
        return _VIETNAMESE, SYLLABLE
    if first == "~":
        return _VIETNAMESE, SHADOW_PAIR if "_" in term else SHADOW
    if first < "\u1100":
        return _LATIN, WORD
    return _KOREAN if first < "\u1200" or "\uac00" <= first <= "\ud7af" else _HAN, WORD


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

    def find(self, terms: Sequence[str]) -> NDArray[np.int32]:
        """Return the ids of `terms`, -1 for those that have none."""
        number_of = self._ids.get
        return np.array([number_of(term, -1) for term in terms], np.int32)

    def _add(self, term: str) -> int:
        number = self._ids.get(term)
        if number is None:
            number = self._ids[term] = len(self._terms)
            self._terms.append(term)
            pool, kind = _pool_and_kind(term)
            self._pools.append(pool)
            self._kinds.append(kind)
        return number

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end the terms that came meanwhile; nothing may have kept their ids."""
        size = len(self._terms)
        try:
            yield
        finally:
            for term in self._terms[size:]:
                del self._ids[term]
            del self._terms[size:], self._pools[size:], self._kinds[size:]

    def term(self, number: int) -> str:
        return self._terms[number]

    def terms(self) -> list[str]:
        return self._terms

    def pools(self) -> NDArray[np.uint8]:
        """Return the pool number of every term, as of now."""
        return np.frombuffer(self._pools, np.uint8).copy()

    def kinds(self, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return the kind of each term."""
        return np.frombuffer(self._kinds, np.uint8)[ids]
