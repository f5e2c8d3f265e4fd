"""Conditions that take a pair out of the ranking, and resources that only block it.

A pair's reasons are a bit set in the order of `ReasonCode`; data that either side does not
state never fails a gate.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from shared.contracts.matches import ReasonCode
from shared.contracts.values import Exclusivity, TransferRight, TransferScope
from svc_matching.engine.columns import (
    EXCLUSIVITIES,
    EXPIRED,
    HELD,
    RIGHTS,
    SCOPES,
    SupplyColumns,
)
from svc_matching.engine.facts import DemandFacts
from svc_matching.engine.quantities import Fit

Slots = NDArray[np.int64]
Mask = NDArray[np.uint16]
Fail = Callable[[ReasonCode, NDArray[np.bool_]], None]

CODES = tuple(ReasonCode)
RESOURCES = frozenset({ReasonCode.BUDGET_SHORT, ReasonCode.ABSORPTION_SHORT})
GATES = tuple(code for code in CODES if code not in RESOURCES)
BIT = {code: 1 << place for place, code in enumerate(CODES)}
GATE_BITS = sum(BIT[code] for code in GATES)
RESOURCE_BITS = sum(BIT[code] for code in RESOURCES)

GATE_NAMES = {
    ReasonCode.EXPIRED: "in_date",
    ReasonCode.ON_HOLD: "available",
    ReasonCode.LEGAL_RESTRICTED: "legal",
    ReasonCode.EXCLUDED_COUNTRY: "country",
    ReasonCode.USED_NOT_ACCEPTED: "used_equipment",
    ReasonCode.USED_TOO_OLD: "equipment_age",
    ReasonCode.TRL_LOW: "trl",
    ReasonCode.RIGHT_MISMATCH: "right",
    ReasonCode.EXCLUSIVITY_MISMATCH: "exclusivity",
    ReasonCode.SCOPE_MISMATCH: "scope",
    ReasonCode.SPEC_FAILS: "requirements",
}


def reasons_of(mask: int) -> tuple[ReasonCode, ...]:
    """Return the codes in a bit set."""
    return tuple(code for code in CODES if mask & BIT[code])


def _clash(wanted: str | None, demand: str, supply: str, names: tuple[str, ...]) -> int:
    """Return the column value that clashes with what the demand wants; -1 when none does."""
    return names.index(supply) if wanted == demand else -1


class Gates:
    """The gates of one index, with the year that the age of used equipment counts from."""

    def __init__(self, columns: SupplyColumns, used_age_years: int) -> None:
        self._columns = columns
        self._used_age_years = used_age_years

    def reasons(self, demand: DemandFacts, slots: Slots, fits: dict[int, Fit], year: int) -> Mask:
        """Return for each slot the bit set of everything that stands in the way."""
        take = self._columns.take
        mask = np.zeros(len(slots), np.uint16)

        def fail(code: ReasonCode, where: NDArray[np.bool_]) -> None:
            mask[where] |= BIT[code]

        status = take("status", slots)
        fail(ReasonCode.EXPIRED, status == EXPIRED)
        fail(ReasonCode.ON_HOLD, status == HELD)
        fail(ReasonCode.LEGAL_RESTRICTED, take("restricted", slots) != 0)
        if demand.excluded:
            excluded = [self._columns.countries.number(code) for code in demand.excluded]
            fail(ReasonCode.EXCLUDED_COUNTRY, np.isin(take("country", slots), excluded))
        self._used(demand, slots, year, fail)
        if demand.trl_min is not None:
            trl = take("trl", slots).astype(np.int8)
            fail(ReasonCode.TRL_LOW, (trl > 0) & (trl < demand.trl_min))
        self._terms(demand, slots, fail)
        missed = [slot for slot, fit in fits.items() if fit.missed]
        fail(ReasonCode.SPEC_FAILS, np.isin(slots, missed))
        self._resources(demand, slots, fail)
        return mask

    def _used(self, demand: DemandFacts, slots: Slots, year: int, fail: Fail) -> None:
        used = self._columns.take("used", slots) != 0
        if demand.accepts_used is False:
            fail(ReasonCode.USED_NOT_ACCEPTED, used)
        made = self._columns.take("year_made", slots).astype(np.int16)
        fail(ReasonCode.USED_TOO_OLD, used & (made > 0) & (year - made > self._used_age_years))

    def _terms(self, demand: DemandFacts, slots: Slots, fail: Fail) -> None:
        terms, take = demand.transfer, self._columns.take
        right = _clash(terms.right, TransferRight.OWNERSHIP, TransferRight.USE, RIGHTS)
        fail(ReasonCode.RIGHT_MISMATCH, take("right", slots) == right)
        exclusivity = _clash(
            terms.exclusivity, Exclusivity.EXCLUSIVE, Exclusivity.NON_EXCLUSIVE, EXCLUSIVITIES
        )
        fail(ReasonCode.EXCLUSIVITY_MISMATCH, take("exclusivity", slots) == exclusivity)
        scope = _clash(terms.scope, TransferScope.WHOLE, TransferScope.PARTIAL, SCOPES)
        fail(ReasonCode.SCOPE_MISMATCH, take("scope", slots) == scope)

    def _resources(self, demand: DemandFacts, slots: Slots, fail: Fail) -> None:
        if demand.ceiling is not None:
            # A price that is not known is NaN, which is above nothing.
            fail(ReasonCode.BUDGET_SHORT, self._columns.take("price", slots) > demand.ceiling)
        short = np.zeros(len(slots), np.bool_)
        for place, level in enumerate(demand.levels):
            if level is not None:
                short |= self._columns.levels(place, slots) > level
        fail(ReasonCode.ABSORPTION_SHORT, short)
