"""The supplies' facts as one array per property, for the kernels that look at pairs closely."""

from collections.abc import Mapping
from functools import lru_cache
from math import nan

import numpy as np
from numpy.typing import NDArray

from shared.contracts.supplies import SupplyStatus
from shared.contracts.values import TransferForm, TransferMethod, TransferPart
from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine.close_look import (
    HELD,
    LIVE,
    PAST,
    code_number,
)
from svc_matching.engine.codes import CodeColumn, field_nearness, industry_nearness, ipc_nearness
from svc_matching.engine.facts import SupplyFacts
from svc_matching.engine.growing import grown
from svc_matching.engine.look_types import Measured, Supplies
from svc_matching.engine.quantities import Measure
from svc_matching.engine.ranges import Ranges
from svc_matching.engine.wants import agreeable, bits
from svc_matching.engine.weights import LEVELS

_NOBODY = 0
_STATUS = {
    SupplyStatus.PUBLISHED: LIVE,
    SupplyStatus.ON_HOLD: HELD,
    SupplyStatus.EXPIRED: PAST,
}
INDEXED_STATUSES = frozenset(_STATUS)
"""Published supplies are ranked, the others in here are near misses; all else is not indexed."""

MAX_LANGUAGES = 11
"""An original and ten translations."""

_KINDS = {
    "status": "i1",
    "trl": "i1",
    "scope": "u1",
    "right": "u1",
    "exclusivity": "u1",
    "forms": "u1",
    "parts": "u1",
    "methods": "u1",
    "country": "i2",
    "used": "?",
    "year_made": "i2",
    "restricted": "?",
    "language": "i2",
    "spoken": f"{MAX_LANGUAGES}i2",
    "ipr": "f8",
    "until": "i4",
    "price": "f8",
    "levels": f"{len(LEVELS)}i1",
}


@lru_cache(maxsize=256)
def language_mask(languages: frozenset[str]) -> int:
    """Return a bit for each language that a demand can ask in; no other ever matters."""
    return sum(1 << place for place, name in enumerate(LANGUAGES) if name in languages)


class SupplyColumns:
    """Slot → facts, column by column."""

    def __init__(self) -> None:
        self.supplies = Supplies(**{name: np.zeros(64, kind) for name, kind in _KINDS.items()})
        self._asked_in = np.zeros(64, np.uint64)
        self._ranges = Ranges()
        self.facts: dict[int, SupplyFacts] = {}
        self.live = 0
        self.fields = CodeColumn(field_nearness)
        self.industries = CodeColumn(industry_nearness)
        self.ipc = CodeColumn(ipc_nearness)

    def put(self, slot: int, facts: SupplyFacts) -> None:
        if slot in self.facts:
            self.drop(slot)
        self._grow(slot + 1)
        terms, spoken = facts.transfer, sorted(map(code_number, facts.languages))[:MAX_LANGUAGES]
        values: dict[str, float | list[int]] = {
            "status": _STATUS[facts.status],
            "trl": facts.trl or 0,
            "scope": agreeable(terms.scope),
            "right": agreeable(terms.right),
            "exclusivity": agreeable(terms.exclusivity),
            "forms": bits(terms.forms, TransferForm),
            "parts": bits(terms.parts, TransferPart),
            "methods": bits(terms.methods, TransferMethod),
            "country": code_number(facts.country),
            "used": facts.used,
            "year_made": facts.year_made or 0,
            "restricted": facts.restricted,
            "language": code_number(facts.language),
            "spoken": spoken + [0] * (MAX_LANGUAGES - len(spoken)),
            "ipr": nan if facts.ipr is None else facts.ipr,
            "until": facts.until or 0,
            "price": nan if facts.lowest_price is None else facts.lowest_price,
            "levels": [level or 0 for level in facts.levels],
        }
        for name, value in values.items():
            getattr(self.supplies, name)[slot] = value
        self._asked_in[slot] = language_mask(facts.languages)
        self.fields.put(slot, facts.fields)
        self.industries.put(slot, facts.industries)
        self.ipc.put(slot, facts.ipc)
        self._ranges.put(slot, facts.haves)
        self.facts[slot] = facts
        self.live += facts.status is SupplyStatus.PUBLISHED

    def _grow(self, size: int) -> None:
        if size > len(self._asked_in):
            self.supplies = Supplies(*(grown(column, size) for column in self.supplies))
            self._asked_in = grown(self._asked_in, size)

    def drop(self, slot: int) -> None:
        facts = self.facts.pop(slot)
        self.live -= facts.status is SupplyStatus.PUBLISHED
        self.supplies.status[slot] = _NOBODY
        self._ranges.put(slot, ())

    @property
    def measured(self) -> Measured:
        """What the supplies state of measured quantities."""
        return self._ranges.measured

    @property
    def measures(self) -> Mapping[Measure, int]:
        """The numbers of the measures that any supply has stated."""
        return self._ranges.measures

    def asked_in(self, size: int) -> NDArray[np.uint64]:
        """Return the languages, as bits, that every slot below `size` is asked in; not a copy."""
        self._grow(size)
        return self._asked_in[:size]

    def is_live(self, slot: int) -> bool:
        """Whether the supply in a slot is published, and so ranked."""
        return self.facts[slot].status is SupplyStatus.PUBLISHED

    def indexed(self, size: int) -> NDArray[np.bool_]:
        """Whether each slot below `size` holds a supply."""
        self._grow(size)
        return np.asarray(self.supplies.status[:size] != _NOBODY)
