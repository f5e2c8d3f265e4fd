"""Compare measured properties: same concept, same dimension, overlapping intervals.

What cannot be converted is kept as text and never compared.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf

from shared.contracts.values import Quantity
from shared.kernel.text import search_key


@dataclass(frozen=True, slots=True)
class Range:
    """A quantity in the base unit of its dimension; open ends are infinite."""

    concept: str
    dimension: str
    low: float
    high: float
    must: bool
    stated: str

    @property
    def measure(self) -> tuple[str, str]:
        """What is measured: only quantities of one measure are compared."""
        return self.concept, self.dimension


def _unit_key(unit: str) -> str:
    """Return one spelling: «kg/giờ», «kg / gio» and «KG/giờ» are the same."""
    return search_key(unit).replace(" ", "")


@cache
def _units() -> dict[str, tuple[str, float]]:
    raw = tomllib.loads(files(__package__).joinpath("units.toml").read_text("utf-8"))
    return {
        _unit_key(unit): (dimension, float(factor))
        for dimension, units in raw.items()
        for unit, factor in units.items()
    }


@cache
def _concepts() -> dict[str, str]:
    raw = tomllib.loads(files(__package__).joinpath("concepts.toml").read_text("utf-8"))
    found = {search_key(name): concept for concept, names in raw["names"].items() for name in names}
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def concept_of(name: str) -> str:
    """Return the concept named in a quantity's name, the longest if several; else the name itself.

    «công suất chè tươi» is a capacity: names say what is measured and then of what.
    """
    key = search_key(name)
    spaced = f" {key} "
    for known, concept in _concepts().items():
        if known in key if not known.isascii() else f" {known} " in spaced:
            return concept
    return key


def _number(value: float) -> str:
    return f"{value:,.10g}"


def _stated(quantity: Quantity) -> str:
    low, high, unit = quantity.min, quantity.max, quantity.unit
    if low is not None and high is not None:
        span = _number(low) if low == high else f"{_number(low)}–{_number(high)}"
    else:
        span = f"≥ {_number(low)}" if low is not None else f"≤ {_number(high or 0)}"
    return f"{quantity.name} {span} {unit}".strip()


def read_range(quantity: Quantity) -> Range | None:
    """Return the quantity in base units; None when its unit is not known."""
    known = _units().get(_unit_key(quantity.unit))
    if known is None:
        return None
    dimension, factor = known
    return Range(
        concept=concept_of(quantity.name),
        dimension=dimension,
        low=-inf if quantity.min is None else quantity.min * factor,
        high=inf if quantity.max is None else quantity.max * factor,
        must=quantity.must,
        stated=_stated(quantity),
    )


def read_ranges(quantities: Iterable[Quantity]) -> tuple[Range, ...]:
    found = (read_range(quantity) for quantity in quantities)
    return tuple(each for each in found if each is not None)


def closeness(need: Range, have: Range) -> float:
    """Return 1 when the intervals overlap, else how near they come, relative to the need."""
    if need.low <= have.high and have.low <= need.high:
        return 1.0
    edge = need.low if have.high < need.low else need.high
    gap = edge - have.high if have.high < need.low else have.low - edge
    return max(0.0, 1.0 - gap / max(abs(edge), 1e-9))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a supply's ranges meet a demand's: mean closeness, and the `must` ones it misses."""

    compared: int
    value: float
    missed: tuple[tuple[Range, Range], ...]


def fit(needs: tuple[Range, ...], haves: tuple[Range, ...]) -> Fit:
    """Compare every need with the best range of the same concept and dimension."""
    total, compared = 0.0, 0
    missed: list[tuple[Range, Range]] = []
    for need in needs:
        same = [have for have in haves if have.measure == need.measure]
        if not same:
            continue
        best = max(same, key=lambda have: closeness(need, have))
        value = closeness(need, best)
        compared += 1
        total += value
        if need.must and value < 1:
            missed.append((need, best))
    return Fit(compared, total / compared if compared else 0.5, tuple(missed))
