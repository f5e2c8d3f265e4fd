"""Compare a price with a budget, across currencies by the dated rates of the package."""

import tomllib
from functools import cache
from importlib.resources import files

from shared.contracts.values import Money


@cache
def _rates() -> dict[str, float]:
    raw = tomllib.loads(files(__package__).joinpath("rates.toml").read_text("utf-8"))
    return {currency: float(rate) for currency, rate in raw["dong"].items()}


def in_dong(amount: int, currency: str) -> float | None:
    """Return the amount in dong; None for a currency without a rate."""
    rate = _rates().get(currency)
    return None if rate is None else amount * rate


def lowest_price(price: Money | None) -> float | None:
    """Return the least that the supply may cost, in dong: `min`, else `max`."""
    if price is None:
        return None
    amount = price.min if price.min is not None else price.max
    return None if amount is None else in_dong(amount, price.currency)


def ceiling(budget: Money | None) -> float | None:
    """Return the most that the demand can pay, in dong; None when no upper end is given."""
    if budget is None or budget.max is None:
        return None
    return in_dong(budget.max, budget.currency)
