"""Conditions that take a pair out of the ranking, and resources that only block it.

A pair's reasons are a bit set in the order of `ReasonCode`; data that either side does not
state never fails a gate.
"""

from collections.abc import Callable
from functools import lru_cache

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
from svc_matching.engine.components import Fits, Rows, Slots
from svc_matching.engine.wants import Wants

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


# What the demand wants, and the supply's offer that clashes with it.
_RIGHT_CLASH = RIGHTS.index(TransferRight.OWNERSHIP), RIGHTS.index(TransferRight.USE)
_SCOPE_CLASH = SCOPES.index(TransferScope.WHOLE), SCOPES.index(TransferScope.PARTIAL)
_EXCLUSIVE_CLASH = (
    EXCLUSIVITIES.index(Exclusivity.EXCLUSIVE),
    EXCLUSIVITIES.index(Exclusivity.NON_EXCLUSIVE),
)


@lru_cache(maxsize=1 << len(CODES))
def reasons_of(mask: int) -> tuple[ReasonCode, ...]:
    """Return the codes in a bit set."""
    return tuple(code for code in CODES if mask & BIT[code])


class Gates:
    """The gates of one index, with the age from which used equipment is too old."""

    def __init__(self, columns: SupplyColumns, used_age_years: int) -> None:
        self._columns = columns
        self._used_age_years = used_age_years

    def reasons(self, wants: Wants, rows: Rows, slots: Slots, fits: Fits, year: int) -> Mask:
        """Return for each pair the bit set of everything that stands in the way."""
        take = self._columns.take
        mask = np.zeros(len(slots), np.uint16)

        def fail(code: ReasonCode, where: NDArray[np.bool_]) -> None:
            mask[where] |= BIT[code]

        status = take("status", slots)
        fail(ReasonCode.EXPIRED, status == EXPIRED)
        fail(ReasonCode.ON_HOLD, status == HELD)
        fail(ReasonCode.LEGAL_RESTRICTED, take("restricted", slots))
        if wants.excluded.any():
            excluded = wants.excluded[rows, take("country", slots)]
            fail(ReasonCode.EXCLUDED_COUNTRY, excluded)
        self._used(wants, rows, slots, year, fail)
        least, trl = wants.trl[rows], take("trl", slots)
        fail(ReasonCode.TRL_LOW, (trl > 0) & (trl < least))
        self._terms(wants, rows, slots, fail)
        missed = [place for place, fit in fits.items() if fit.missed]
        mask[missed] |= BIT[ReasonCode.SPEC_FAILS]
        self._resources(wants, rows, slots, fail)
        return mask

    def _used(self, wants: Wants, rows: Rows, slots: Slots, year: int, fail: Fail) -> None:
        used = self._columns.take("used", slots)
        if not used.any():
            return
        fail(ReasonCode.USED_NOT_ACCEPTED, used & wants.refuses_used[rows])
        made = self._columns.take("year_made", slots)
        fail(ReasonCode.USED_TOO_OLD, used & (made > 0) & (year - made > self._used_age_years))

    def _terms(self, wants: Wants, rows: Rows, slots: Slots, fail: Fail) -> None:
        for code, name, stated, wanted, offered in (
            (ReasonCode.RIGHT_MISMATCH, "right", wants.right, *_RIGHT_CLASH),
            (ReasonCode.EXCLUSIVITY_MISMATCH, "exclusivity", wants.exclusivity, *_EXCLUSIVE_CLASH),
            (ReasonCode.SCOPE_MISMATCH, "scope", wants.scope, *_SCOPE_CLASH),
        ):
            picky = stated == wanted
            if picky.any():
                fail(code, picky[rows] & (self._columns.take(name, slots) == offered))

    def _resources(self, wants: Wants, rows: Rows, slots: Slots, fail: Fail) -> None:
        if not np.isnan(wants.ceiling).all():
            # What is not known is NaN, and nothing is above or below that.
            above = self._columns.take("price", slots) > wants.ceiling[rows]
            fail(ReasonCode.BUDGET_SHORT, above)
        for place in np.flatnonzero(wants.levels.any(axis=0)).tolist():
            level = wants.levels[rows, place]
            short = (level > 0) & (self._columns.levels(place, slots) > level)
            fail(ReasonCode.ABSORPTION_SHORT, short)
