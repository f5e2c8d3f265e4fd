"""The demands' facts as one array per property, so that a block of pairs is one operation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.contracts.values import TransferForm, TransferMethod, TransferPart
from svc_matching.engine.columns import EXCLUSIVITIES, RIGHTS, SCOPES, Names, SupplyColumns, bits
from svc_matching.engine.facts import DemandFacts


@dataclass(frozen=True, slots=True)
class Wants:
    """What some demands ask for, by row; 0 and NaN are unknown.

    `preferred` and `excluded` have a column for each country number of the supplies.
    """

    trl: NDArray[np.int8]
    scope: NDArray[np.int8]
    right: NDArray[np.int8]
    exclusivity: NDArray[np.int8]
    forms: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    methods: NDArray[np.uint8]
    preferred: NDArray[np.bool_]
    excluded: NDArray[np.bool_]
    refuses_used: NDArray[np.bool_]
    language: NDArray[np.int16]
    language_mask: NDArray[np.uint64]
    spoken: tuple[str | None, ...]
    needed_by: NDArray[np.int32]
    ceiling: NDArray[np.float64]
    levels: NDArray[np.int8]

    @classmethod
    def of(cls, demands: Sequence[DemandFacts], columns: SupplyColumns) -> "Wants":
        """Read the facts of some demands, in the numbers of the supplies' columns."""

        def array(values: Sequence[Any], kind: str) -> NDArray[Any]:
            return np.array(values, kind)

        terms = [demand.transfer for demand in demands]
        languages = columns.languages
        masks = [languages.mask(frozenset((d.language,) if d.language else ())) for d in demands]
        return cls(
            trl=array([demand.trl_min or 0 for demand in demands], "i1"),
            scope=array([SCOPES.index(term.scope or "") for term in terms], "i1"),
            right=array([RIGHTS.index(term.right or "") for term in terms], "i1"),
            exclusivity=array([EXCLUSIVITIES.index(t.exclusivity or "") for t in terms], "i1"),
            forms=array([bits(term.forms, TransferForm) for term in terms], "u1"),
            parts=array([bits(term.parts, TransferPart) for term in terms], "u1"),
            methods=array([bits(term.methods, TransferMethod) for term in terms], "u1"),
            preferred=_table([demand.preferred for demand in demands], columns.countries),
            excluded=_table([demand.excluded for demand in demands], columns.countries),
            refuses_used=array([demand.accepts_used is False for demand in demands], "?"),
            language=array([languages.number(demand.language) for demand in demands], "i2"),
            language_mask=array(masks, "u8"),
            spoken=tuple(demand.language for demand in demands),
            needed_by=array([demand.needed_by or 0 for demand in demands], "i4"),
            ceiling=array([np.nan if d.ceiling is None else d.ceiling for d in demands], "f8"),
            levels=array([[level or 0 for level in demand.levels] for demand in demands], "i1"),
        )


def _table(chosen: Sequence[frozenset[str]], names: Names) -> NDArray[np.bool_]:
    """Return a row for each set with a mark for each name in it; the column 0 is unknown."""
    numbers = [[names.number(name) for name in each] for each in chosen]
    table = np.zeros((len(chosen), len(names) + 1), np.bool_)
    for row, marked in enumerate(numbers):
        table[row, marked] = True
    return table
