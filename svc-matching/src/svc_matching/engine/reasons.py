"""Both sides' figures for everything that stands in the way of a pair."""

from shared.contracts.demands import DemandProfile
from shared.contracts.matches import Reason, ReasonCode
from shared.contracts.supplies import SupplyProfile, SupplyStatus
from shared.contracts.values import Money
from svc_matching.engine.facts import DemandFacts, SupplyFacts, demand_facts, supply_facts
from svc_matching.engine.gates import reasons_of
from svc_matching.engine.money import in_dong
from svc_matching.engine.quantities import fit
from svc_matching.engine.weights import LEVELS


def _amount(money: Money, amount: int) -> str:
    return f"{amount:,} {money.currency}"


def _budget(demand: DemandFacts, supply: SupplyFacts) -> Reason:
    budget, price = demand.budget, supply.price
    if budget is None or budget.max is None or price is None:
        return Reason(code=ReasonCode.BUDGET_SHORT)
    least = price.min if price.min is not None else price.max or 0
    rate = in_dong(1, budget.currency) or 1.0
    short = ((supply.lowest_price or 0.0) - (demand.ceiling or 0.0)) / rate
    return Reason(
        code=ReasonCode.BUDGET_SHORT,
        have=_amount(budget, budget.max),
        need=_amount(price, least),
        by=float(round(short)),
    )


def _absorption(demand: DemandFacts, supply: SupplyFacts) -> Reason:
    short = [
        (name, have, need)
        for name, have, need in zip(LEVELS, demand.levels, supply.levels, strict=True)
        if have is not None and need is not None and have < need
    ]
    return Reason(
        code=ReasonCode.ABSORPTION_SHORT,
        have=", ".join(f"{name} {have}" for name, have, _ in short),
        need=", ".join(f"{name} {need}" for name, _, need in short),
        by=float(max((need - have for _, have, need in short), default=0)),
    )


def _specification(demand: DemandFacts, supply: SupplyFacts) -> Reason:
    missed = fit(demand.needs, supply.haves).missed
    return Reason(
        code=ReasonCode.SPEC_FAILS,
        have="; ".join(have.stated for _, have in missed),
        need="; ".join(need.stated for need, _ in missed),
    )


def _figures(code: ReasonCode, demand: DemandFacts, supply: SupplyFacts) -> tuple[object, object]:
    return {
        ReasonCode.EXPIRED: (supply.status, "PUBLISHED"),
        ReasonCode.ON_HOLD: (supply.status, "PUBLISHED"),
        ReasonCode.LEGAL_RESTRICTED: ("RESTRICTED", None),
        ReasonCode.EXCLUDED_COUNTRY: (supply.country, None),
        ReasonCode.USED_NOT_ACCEPTED: ("USED", "NEW"),
        ReasonCode.USED_TOO_OLD: (supply.year_made, None),
        ReasonCode.TRL_LOW: (supply.trl, demand.trl_min),
        ReasonCode.RIGHT_MISMATCH: (supply.transfer.right, demand.transfer.right),
        ReasonCode.EXCLUSIVITY_MISMATCH: (
            supply.transfer.exclusivity,
            demand.transfer.exclusivity,
        ),
        ReasonCode.SCOPE_MISMATCH: (supply.transfer.scope, demand.transfer.scope),
    }[code]


def describe(
    mask: int, demand: DemandFacts, supply: SupplyFacts, *, unchanged: bool = True
) -> list[Reason]:
    """Return the reasons in a bit set with what the supply (or the demand's means) has and needs.

    For gates `have` is the supply's side; for resources it is what the demand's side has. When a
    side has changed since the reasons were found, they come without figures.
    """
    if not unchanged:
        return [Reason(code=code) for code in reasons_of(mask)]
    special = {
        ReasonCode.BUDGET_SHORT: _budget,
        ReasonCode.ABSORPTION_SHORT: _absorption,
        ReasonCode.SPEC_FAILS: _specification,
    }
    reasons = []
    for code in reasons_of(mask):
        if code in special:
            reasons.append(special[code](demand, supply))
            continue
        have, need = _figures(code, demand, supply)
        by = float(need - have) if isinstance(have, int) and isinstance(need, int) else None
        reasons.append(
            Reason(
                code=code,
                have=None if have is None else str(have),
                need=None if need is None else str(need),
                by=by,
            )
        )
    return reasons


def reasons_between(
    mask: int,
    demand: DemandProfile,
    supply: SupplyProfile,
    status: SupplyStatus,
    *,
    unchanged: bool,
) -> list[Reason]:
    """Return the same for two profiles, read only as far as there are reasons."""
    if not mask:
        return []
    sides = demand_facts(demand, ()), supply_facts(supply, status, ())
    return describe(mask, *sides, unchanged=unchanged)
