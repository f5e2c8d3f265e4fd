"""The supplies' facts as one array per property, so that a block of pairs is one operation."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.contracts.supplies import SupplyStatus
from shared.contracts.values import (
    Exclusivity,
    TransferForm,
    TransferMethod,
    TransferPart,
    TransferRight,
    TransferScope,
)
from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine.codes import CodeColumn, field_nearness, industry_nearness, ipc_nearness
from svc_matching.engine.facts import SupplyFacts
from svc_matching.engine.quantities import Range
from svc_matching.engine.weights import LEVELS

UNKNOWN = 0
SCOPES = ("", *TransferScope)
RIGHTS = ("", *TransferRight)
EXCLUSIVITIES = ("", *Exclusivity)
LIVE, HELD, EXPIRED = 1, 2, 3
_STATUS = {
    SupplyStatus.PUBLISHED: LIVE,
    SupplyStatus.ON_HOLD: HELD,
    SupplyStatus.EXPIRED: EXPIRED,
}
INDEXED_STATUSES = frozenset(_STATUS)
"""Published supplies are ranked, the others in here are near misses; all else is not indexed."""

_NUMBERS: dict[str, str] = {
    "status": "i1",
    "trl": "i1",
    "scope": "i1",
    "right": "i1",
    "exclusivity": "i1",
    "forms": "u1",
    "parts": "u1",
    "methods": "u1",
    "country": "i2",
    "used": "?",
    "year_made": "i2",
    "restricted": "?",
    "language": "i2",
    "languages": "u8",
    "ipr": "f8",
    "until": "i4",
    "price": "f8",
}


def bits(chosen: Sequence[str], names: type[TransferForm | TransferPart | TransferMethod]) -> int:
    """Return a bit for each chosen member, in the order of the enumeration."""
    if not chosen:
        return 0
    return sum(1 << place for place, name in enumerate(names) if name in chosen)


class Names:
    """Small numbers for open sets of codes; 0 is unknown, the `first` ones always come first."""

    def __init__(self, first: Sequence[str] = ()) -> None:
        self._numbers = {name: number for number, name in enumerate(first, start=1)}

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, name: str | None) -> int:
        return 0 if name is None else self._numbers.setdefault(name, len(self._numbers) + 1)

    def mask(self, names: Iterable[str]) -> int:
        """Return a 64-bit set; the 64th and later names share no bit with anything."""
        numbers = (self.number(name) for name in names)
        return sum(1 << number for number in numbers if number < 64)  # noqa: PLR2004 - bits

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Forget at the end the names that came meanwhile: the 63 with a bit are for what stays."""
        size = len(self._numbers)
        try:
            yield
        finally:
            for name in list(islice(self._numbers, size, None)):
                del self._numbers[name]


def language_names() -> Names:
    """Return numbers for languages; those that a demand can ask in have the same everywhere."""
    return Names(LANGUAGES)


@lru_cache(maxsize=256)
def language_mask(languages: frozenset[str]) -> int:
    """Return the bits of languages that a demand can ask in."""
    return language_names().mask(languages)


class SupplyColumns:
    """Slot → facts, column by column."""

    def __init__(self) -> None:
        self._arrays = {name: np.zeros(64, kind) for name, kind in _NUMBERS.items()}
        self._levels = np.zeros((64, len(LEVELS)), np.int8)
        self.facts: dict[int, SupplyFacts] = {}
        self.live = 0
        self._measured: dict[tuple[str, str], set[int]] = {}
        self.languages = language_names()
        self.countries = Names()
        self.fields = CodeColumn(field_nearness)
        self.industries = CodeColumn(industry_nearness)
        self.ipc = CodeColumn(ipc_nearness)

    def _grow(self, size: int) -> None:
        for name, old in self._arrays.items():
            self._arrays[name] = np.resize(old, size)
        self._levels = np.resize(self._levels, (size, len(LEVELS)))

    def put(self, slot: int, facts: SupplyFacts) -> None:
        if slot in self.facts:
            self.drop(slot)
        if slot >= len(self._levels):
            self._grow(max(slot + 1, 2 * len(self._levels)))
        terms = facts.transfer
        values: dict[str, float] = {
            "status": _STATUS[facts.status],
            "trl": facts.trl or 0,
            "scope": SCOPES.index(terms.scope or ""),
            "right": RIGHTS.index(terms.right or ""),
            "exclusivity": EXCLUSIVITIES.index(terms.exclusivity or ""),
            "forms": bits(terms.forms, TransferForm),
            "parts": bits(terms.parts, TransferPart),
            "methods": bits(terms.methods, TransferMethod),
            "country": self.countries.number(facts.country),
            "used": facts.used,
            "year_made": facts.year_made or 0,
            "restricted": facts.restricted,
            "language": self.languages.number(facts.language),
            "languages": self.languages.mask(facts.languages),
            "ipr": np.nan if facts.ipr is None else facts.ipr,
            "until": facts.until or 0,
            "price": np.nan if facts.lowest_price is None else facts.lowest_price,
        }
        for name, value in values.items():
            self._arrays[name][slot] = value
        self._levels[slot] = [level or 0 for level in facts.levels]
        self.fields.put(slot, facts.fields)
        self.industries.put(slot, facts.industries)
        self.ipc.put(slot, facts.ipc)
        for have in facts.haves:
            self._measured.setdefault(have.measure, set()).add(slot)
        self.facts[slot] = facts
        self.live += facts.status is SupplyStatus.PUBLISHED

    def drop(self, slot: int) -> None:
        facts = self.facts.pop(slot)
        for have in facts.haves:
            self._measured[have.measure].discard(slot)
        self.live -= facts.status is SupplyStatus.PUBLISHED
        self._arrays["status"][slot] = UNKNOWN

    def measured(self, needs: Sequence[Range]) -> list[set[int]]:
        """Return for each of these quantities that any slot states which ones do."""
        found = (self._measured.get(need.measure) for need in needs)
        return [slots for slots in found if slots]

    def take(self, name: str, slots: NDArray[np.int64]) -> NDArray[Any]:
        """Return one property of the given slots."""
        return self._arrays[name][slots]

    def levels(self, place: int, slots: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the level of one capability that the supplies require; 0 is unknown."""
        levels: NDArray[np.int8] = self._levels[slots, place]
        return levels

    def indexed(self, size: int) -> NDArray[np.bool_]:
        """Whether each slot below `size` holds a supply."""
        return np.asarray(self._arrays["status"][:size] != UNKNOWN)
