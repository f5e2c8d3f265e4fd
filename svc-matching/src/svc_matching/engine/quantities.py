"""Compare measured properties: same concept, same dimension, overlapping intervals.

They are stated in structured fields, or read from running text: those count, but never gate. What
cannot be converted is kept as text and never compared.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from pydantic import ConfigDict

from shared.contracts.values import Quantity
from svc_matching.engine.amounts import LEAD, TAIL, Amount, fold, plain, read_amounts
from svc_matching.engine.concepts import concept_near, stated_concept
from svc_matching.engine.units import read_unit

MAX_READ = 32
"""Quantities taken from one text."""

MAX_STATED = 64

_EXACT = 1e-9
"""Relative error of a conversion: 12 t/day are 500 kg/h, whatever the last bits say."""

_DIGIT = re.compile(r"\d")
_CLAUSE = re.compile(r"[.!?]\s|[;\n。]")
_PART = re.compile(r"[.!?]\s|[,;\n。、]|[0-9]")

Measure = tuple[str, str]
"""Concept and dimension: only quantities of one measure are compared."""


@dataclass(frozen=True, slots=True)
class Range:
    """A quantity in the base unit of its dimension; open ends are infinite.

    `read` says that it was found in running text, where a gate does not look.
    """

    measure: Measure
    low: float
    high: float
    must: bool
    stated: str
    read: bool = False

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="constants")


def _number(value: float) -> str:
    return f"{value:,.10g}"


def _stated(quantity: Quantity) -> str:
    low, high, unit = quantity.min, quantity.max, quantity.unit
    if low is not None and high is not None:
        span = _number(low) if low == high else f"{_number(low)}–{_number(high)}"
    else:
        span = f"≥ {_number(low)}" if low is not None else f"≤ {_number(high or 0)}"
    return f"{quantity.name} {span} {unit}".strip()


@lru_cache(maxsize=8192)
def _measure(name: str, dimension: str) -> Measure:
    return stated_concept(name, dimension), dimension


def read_range(quantity: Quantity) -> Range | None:
    """Return the quantity in base units; None when its unit or its size is none."""
    unit = read_unit(quantity.unit)
    if unit is None:
        return None
    low = -inf if quantity.min is None else unit.base(quantity.min)
    high = inf if quantity.max is None else unit.base(quantity.max)
    if low is None or high is None:
        return None
    measure = _measure(quantity.name, unit.dimension)
    return Range(measure, low, high, quantity.must, _stated(quantity))


def read_ranges(quantities: Iterable[Quantity]) -> tuple[Range, ...]:
    found = (read_range(quantity) for quantity in quantities)
    return tuple(each for each in found if each is not None)


def read_text(text: str, language: str) -> tuple[Range, ...]:
    """Return the quantities named in running text, the first `MAX_READ`.

    Each belongs to the nearest concept of its clause that is measured in its unit; an amount that
    nothing names is left out, unless its unit says enough (kg/h, kW).
    """
    if not _DIGIT.search(text):
        return ()
    normal = plain(text)
    folded = fold(normal)
    found: dict[tuple[Measure, float, float], Range] = {}
    end = 0
    for amount in read_amounts(normal, folded, language):
        lead, tail = _around(amount, folded, end)
        concept, end = concept_near(lead, tail, amount.dimension), amount.end
        if concept is None:
            continue
        stated = normal[amount.start : amount.end][:MAX_STATED]
        measure = concept, amount.dimension
        each = Range(measure, amount.low, amount.high, must=False, stated=stated, read=True)
        found.setdefault((measure, amount.low, amount.high), each)
        if len(found) == MAX_READ:
            break
    return tuple(found.values())


def _around(amount: Amount, folded: str, end: int) -> tuple[str, str]:
    """Return what stands before and after an amount in its clause; before it ended at `end`."""
    lead = _CLAUSE.split(folded[max(end, amount.start - LEAD) : amount.start])[-1]
    tail = _PART.split(folded[amount.end : amount.end + TAIL], maxsplit=1)[0]
    return lead, tail


def with_read(stated: tuple[Range, ...], read: Iterable[Range]) -> tuple[Range, ...]:
    """Return the stated ranges, and those read from text whose concept no field states.

    Beside a field with a capacity in m3/day, «9 tấn/ngày» in the text is that of something else.
    """
    known = {each.measure[0] for each in stated}
    return stated + tuple(each for each in read if each.measure[0] not in known)


def closeness(need: Range, have: Range) -> float:
    """Return 1 when the intervals overlap, else how near they come, relative to the need."""
    gap = max(need.low - have.high, have.low - need.high)
    if gap <= 0:
        return 1.0
    edge = abs(need.low if have.high < need.low else need.high)
    return 1.0 if gap <= _EXACT * edge else max(0.0, 1.0 - gap / max(edge, _EXACT))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a supply's ranges meet a demand's: mean closeness, and the `must` ones it misses."""

    compared: int
    value: float
    missed: tuple[tuple[Range, Range], ...]


def fit(needs: tuple[Range, ...], haves: tuple[Range, ...]) -> Fit:
    """Compare every need with the best range of the same measure.

    Only what both sides state in structured fields can be missed.
    """
    total, compared = 0.0, 0
    missed: list[tuple[Range, Range]] = []
    for need in needs:
        best, value = None, -1.0
        for have in haves:
            if have.measure == need.measure and (near := closeness(need, have)) > value:
                best, value = have, near
        if best is None:
            continue
        compared += 1
        total += value
        if need.must and value < 1 and not best.read:
            missed.append((need, best))
    return Fit(compared, total / compared if compared else 0.5, tuple(missed))
