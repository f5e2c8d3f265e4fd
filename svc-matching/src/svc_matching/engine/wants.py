"""A demand's facts in the numbers of the supplies' columns."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from math import nan

import numpy as np
from numpy.typing import NDArray

from shared.contracts.values import (
    Exclusivity,
    TransferForm,
    TransferMethod,
    TransferPart,
    TransferRight,
    TransferScope,
    TransferTerms,
)
from svc_matching.engine.close_look import code_number
from svc_matching.engine.facts import DemandFacts
from svc_matching.engine.look_types import Needs, Want
from svc_matching.engine.quantities import Measure, Range

_CLASHES: dict[StrEnum, StrEnum] = {
    TransferScope.WHOLE: TransferScope.PARTIAL,
    TransferRight.OWNERSHIP: TransferRight.USE,
    Exclusivity.EXCLUSIVE: Exclusivity.NON_EXCLUSIVE,
}
"""What a demand wants, and the supply's offer that a gate refuses it."""


def bits(chosen: Sequence[StrEnum], names: type[StrEnum]) -> int:
    """Return a bit for each chosen member, in the order of the enumeration."""
    if not chosen:
        return 0
    return sum(1 << place for place, name in enumerate(names) if name in chosen)


def agreeable(choice: TransferScope | TransferRight | Exclusivity | None) -> int:
    """Return a bit for each of two ways that somebody agrees to, both for either; 0 is unknown."""
    if choice is None:
        return 0
    both = [name for name in type(choice) if name != "EITHER"]
    return bits([choice] if choice in both else both, type(choice))


def _clash(choice: TransferScope | TransferRight | Exclusivity | None) -> int:
    refused = _CLASHES.get(choice) if choice else None
    return -1 if refused is None else bits([refused], type(refused))


def want_of(demand: DemandFacts) -> Want:
    terms: TransferTerms = demand.transfer
    return Want(
        trl=demand.trl_min or 0,
        scope=agreeable(terms.scope),
        right=agreeable(terms.right),
        exclusivity=agreeable(terms.exclusivity),
        scope_clash=_clash(terms.scope),
        right_clash=_clash(terms.right),
        exclusivity_clash=_clash(terms.exclusivity),
        forms=bits(terms.forms, TransferForm),
        parts=bits(terms.parts, TransferPart),
        methods=bits(terms.methods, TransferMethod),
        preferred=_numbers(demand.preferred),
        excluded=_numbers(demand.excluded),
        refuses_used=demand.accepts_used is False,
        language=code_number(demand.language),
        needed_by=demand.needed_by or 0,
        ceiling=nan if demand.ceiling is None else float(demand.ceiling),
        levels=tuple(level or 0 for level in demand.levels),
    )


def _numbers(codes: Iterable[str]) -> NDArray[np.int16]:
    return np.array([code_number(code) for code in codes], np.int16)


def needs_of(needs: Sequence[Range], measures: Mapping[Measure, int]) -> Needs:
    """Return the needs whose measure has a number: what no supply states is met by none."""
    met = [(measures[need.measure], need) for need in needs if need.measure in measures]
    if not met:
        return _NOTHING
    return Needs(
        np.array([number for number, _ in met], np.int32),
        np.array([need.low for _, need in met]),
        np.array([need.high for _, need in met]),
        np.array([need.must for _, need in met]),
    )


_NOTHING = Needs(np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0, np.bool_))
