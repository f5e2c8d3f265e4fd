"""Read unit strings in six languages; sizes, dimensions and conversion are pint's.

Nothing a user writes is evaluated: a string is cut into names and small powers, each name is looked
up, and pint multiplies what was found.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from math import isclose, isfinite
from typing import Any

from pint import PintError, UnitRegistry

from shared.kernel.text import search_key

MAX_UNIT = 32
"""Characters of a unit; also the bound of the contract's field."""

MAX_SIZE = 1e21
"""In base units. What is larger is no measurement and is not compared."""

_MAX_NAMES = 4
_POWERED = re.compile(r"(.*[^\d^-])\^?(-?[1-3])", re.DOTALL)
_PINT_NAME = re.compile(r"[A-Za-zμΩ_]{1,24}")
_TIMES = re.compile(r"[·⋅*×.\s]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit against the base unit of its dimension: base = factor · value + offset."""

    dimension: str
    factor: float
    offset: float = 0.0

    def base(self, value: float) -> float | None:
        """Return the value in base units; None when it is no size that things have."""
        size = self.factor * value
        if self.offset:
            size = round(size + self.offset, 9)  # 32 °F are 0 °C, not nearly
        return size if abs(size) <= MAX_SIZE else None


@cache
def spellings() -> dict[str, Any]:
    """Return the file of spellings."""
    raw: dict[str, Any] = tomllib.loads(
        files(__package__).joinpath("units.toml").read_text("utf-8")
    )
    return raw


def normal(text: str) -> str:
    """Return one form of letters, digits and signs: ㎥ and m³ are m3, ℃ is °C."""
    return unicodedata.normalize("NFKC", text)


def _folded(unit: str) -> str:
    """Return one spelling: «kg/giờ», «kg / gio» and «KG/giờ» are the same."""
    return search_key(unit).replace(" ", "")


@cache
def _names() -> tuple[dict[str, str], dict[str, str]]:
    """Return our spellings as written, and folded; the earlier of two folded alike wins."""
    exact: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, written in spellings()["spellings"].items():
        for each in written:
            exact.setdefault(normal(each), name)
            folded.setdefault(_folded(each), name)
    return exact, folded


@cache
def _registry() -> "UnitRegistry[Any]":
    registry: UnitRegistry[Any] = UnitRegistry()
    registry.load_definitions(
        files(__package__).joinpath("local_units.txt").read_text("utf-8").splitlines()
    )
    return registry


def _known(unit: str) -> str | None:
    exact, folded = _names()
    return exact.get(unit) or folded.get(_folded(unit))


def _pints_own(unit: str) -> str | None:
    """Return a name that only pint knows; a prefixed one that it reads in two ways is unknown."""
    if not _PINT_NAME.fullmatch(unit):
        return None
    found = _registry().parse_unit_name(unit)
    plain = bool(found) and not found[0][0]
    return "".join(found[0][:2]) if plain or len(found) == 1 else None


def _factors(part: str) -> list[tuple[str, int]]:
    """Cut «kg·m2» into names and powers; raise ValueError at the first unknown name."""
    whole = _known(part)
    if whole:
        return [(whole, 1)]
    found = []
    for each in _TIMES.split(part.rstrip(".")):
        powered = None if _known(each) else _POWERED.fullmatch(each)
        name, power = powered.groups() if powered else (each, "1")
        known = _known(name) or _pints_own(name)
        if known is None:
            raise ValueError(name)
        found.append((known, int(power)))
    return found


@cache
def _per() -> re.Pattern[str]:
    """Return what stands before a divisor: a slash or a word."""
    signs = [re.escape(word) for word in spellings()["reading"]["per"]]
    words = "|".join(sign for sign in signs if sign.isalpha() and sign[0] < "\u3000")
    others = "|".join(sign for sign in signs if not sign.isalpha() or sign[0] >= "\u3000")
    return re.compile(rf"\s*(?:{others})\s*|\s+(?:{words})\s+", re.IGNORECASE)


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """Return the unit written in `text`; None when any part of it is unknown."""
    unit = normal(text).strip()
    if not unit or len(text) > MAX_UNIT:
        return None
    found = _converted(unit)
    if found:
        return found
    # «nghìn tấn/năm», 万吨/年
    for word, size in spellings()["times"].items():
        if unit.startswith(word) and (found := _converted(unit[len(word) :].strip())):
            return Unit(found.dimension, found.factor * size, found.offset)
    return None


def _converted(unit: str) -> Unit | None:
    try:
        return _measure(_factors_of(unit))
    except (ValueError, ArithmeticError, PintError):
        return None


def _factors_of(unit: str) -> list[tuple[str, int]]:
    whole = _known(unit)
    if whole:
        return [(whole, 1)]
    above, *below = (_factors(part.strip("() ")) for part in _per().split(unit))
    factors = above + [(name, -power) for part in below for name, power in part]
    if len(factors) > _MAX_NAMES:
        raise ValueError(unit)
    return factors


def _dimension(quantity: Any) -> str:
    """Return one spelling of a dimension: pint's order depends on how the unit came about."""
    powers = sorted(quantity.dimensionality.items())
    return " ".join(f"{name}{power:+g}" for name, power in powers)


def _measure(factors: list[tuple[str, int]]) -> Unit | None:
    """Let pint multiply; degrees are differences wherever they are not alone."""
    registry = _registry()
    if len(factors) == 1 and factors[0][1] == 1:
        return _alone(registry, factors[0][0])
    product = registry.Quantity(1.0)
    for name, power in factors:
        shifted = registry.Quantity(0.0, name).to_base_units().magnitude != 0
        step = registry.Quantity(1.0, f"delta_{name}" if shifted else name)
        product *= step.to_base_units() ** power
    factor = float(product.to_base_units().magnitude)
    # A product of the very smallest or largest is no number any more.
    return Unit(_dimension(product), factor) if isfinite(factor) and factor else None


def _alone(registry: "UnitRegistry[Any]", name: str) -> Unit | None:
    """Convert by two points, and refuse what a third shows to be no line (decibels)."""
    one = registry.Quantity(1.0, name)
    # Degrees Celsius, because how near 50 is to 60 °C is not judged from absolute zero.
    base = "degree_Celsius" if one.check("[temperature]") else one.to_base_units().units
    at_0, at_1, at_10 = (
        registry.Quantity(size, name).to(base).magnitude for size in (0.0, 1.0, 10.0)
    )
    factor = float(at_1 - at_0)
    if not isfinite(factor) or not isclose(at_10 - at_0, 10 * factor):
        return None
    return Unit(_dimension(one), factor, float(at_0))
