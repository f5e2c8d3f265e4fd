"""Conditions that take a pair out of the ranking, and resources that only block it.

A pair's reasons are a bit set in the order of `ReasonCode`; data that either side does not
state never fails a gate.
"""

from functools import lru_cache

from shared.contracts.matches import ReasonCode

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


@lru_cache(maxsize=1 << len(CODES))
def reasons_of(mask: int) -> tuple[ReasonCode, ...]:
    """Return the codes in a bit set."""
    return tuple(code for code in CODES if mask & BIT[code])
