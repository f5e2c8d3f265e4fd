"""Cut running text into amounts: a number or a range, its bound and its unit."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import inf
from typing import Any, NamedTuple

from shared.kernel.text import strip_marks
from svc_matching.engine.numbers import read_number
from svc_matching.engine.units import MAX_UNIT, Unit, normal, read_unit, spellings

MAX_NUMBERS = 256
"""Numbers looked at in one text, so that a table of digits takes no time."""

LEAD, TAIL = 64, 40
"""Characters before and after an amount that say what it is."""

_MAX_GAP = 12
_DEGREES = "[temperature]+1"
_LATIN = "A-Za-zÀ-ɏẠ-ỹ"
# A sign before the look behind it: a search for a set of characters is several times as fast.
_GROUP_SPACE = re.compile(r"[\u00a0\u202f\u2009'’](?<=[0-9].)(?=[0-9]{3}(?![0-9]))")
_MINUS = re.compile(rf"(?<![{_LATIN}0-9%°])[-−]$")
_RAISED = re.compile(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹](?<=[0-9].)")


class _Read(NamedTuple):
    """One number as it stands in the text; `unit` is empty when none follows.

    `times` is the number word after it, by which the value is already multiplied.
    """

    start: int
    end: int
    value: float
    times: float
    unit: str


@dataclass(frozen=True, slots=True)
class Amount:
    """An interval in base units, and the place of its text."""

    start: int
    end: int
    low: float
    high: float
    dimension: str


@cache
def _words() -> dict[str, Any]:
    raw: dict[str, Any] = tomllib.loads(
        files(__package__).joinpath("bounds.toml").read_text("utf-8")
    )
    return raw


def _either(words: Iterable[str]) -> str:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return "|".join(re.escape(word) for word in longest_first)


def fold(text: str) -> str:
    """Return the text without marks and in lower case, each character in its place."""
    folded = strip_marks(text).lower()
    return folded if len(folded) == len(text) else text


def _folded(words: Iterable[str]) -> str:
    """Return a pattern of words in folded text, Latin ones as whole words."""
    keys = {fold(normal(word)) for word in words}
    latin = {word for word in keys if word[0].isascii() and word[0].isalpha()}
    signs, letters = _either(keys - latin), rf"(?<![a-z])(?:{_either(latin)})(?![a-z])"
    # Of none there is no pattern: an empty one would match everywhere.
    return f"(?:{'|'.join([signs] * (latin != keys) + [letters] * bool(latin))})"


@cache
def _amount() -> re.Pattern[str]:
    """Return a number with what follows it; nothing in it can be read in two ways for long."""
    reading = spellings()["reading"]
    every = [normal(each) for written in spellings()["spellings"].values() for each in written]
    words = _either({*every} - {*reading["before_per"]})
    short = _either(reading["before_per"])
    below = _either({*every} - {*reading["before_per"]} | {*reading["after_per"]})
    per = _either(word for word in reading["per"] if not word.isalpha() or word > "\u3000")
    per_word = _either(word for word in reading["per"] if word.isalpha() and word < "\u3000")
    divisor = rf"(?:\s?(?:{per})\s?|\s(?:{per_word})\s)(?:{below})(?![{_LATIN}0-9^])"
    stuff = rf"(?:\s[{_LATIN}]{{1,12}}+){{1,3}}?(?={divisor})"
    return re.compile(
        rf"(?P<number>[0-9](?<![{_LATIN}0-9_.,^/].)[0-9]*+(?:[.,][0-9]++)*+)(?!\^)"
        rf"(?:\s?(?P<times>{_either(spellings()['times'])})(?![{_LATIN}]))?"
        rf"(?:\s?(?P<unit>(?:{words})(?![{_LATIN}0-9^])|(?:{short})(?={divisor}))(?P<stuff>{stuff})?"
        rf"(?P<per>(?:{divisor}){{0,2}})(?!\s?/))?",
        re.IGNORECASE,
    )


@cache
def _bounds() -> dict[str, re.Pattern[str]]:
    words = _words()
    filler = rf"(?:\s*{_folded(words['aside']['filler'])})*\s*$"
    found = {
        f"before {bound}": re.compile(_folded(written) + filler)
        for bound, written in words["before"].items()
    }
    found |= {
        f"after {bound}": re.compile(r"\s?" + _folded(written))
        for bound, written in words["after"].items()
    }
    found |= {
        name: re.compile(rf"\s*{_folded(words['between'][name])}\s*")
        for name in ("range", "pair", "tolerance")
    }
    found["opening"] = re.compile(_folded(words["between"]["opening"]) + r"[^,;]{0,24}$")
    return found


@cache
def _rates() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the words of a rate before an amount (some words may follow) and after it.

    The group that matches has the name of the time.
    """
    rates = spellings()["rates"].items()
    words = "|".join(f"(?P<{time}>{_folded(written)})" for time, written in rates)
    return re.compile(rf"(?:{words})[^\d.,;:。、]{{0,24}}$"), re.compile(
        rf"[^.,;:。、\d]{{0,24}}?(?:{words})"
    )


def plain(text: str) -> str:
    """Return normal text in which a number is one run of digits, points and commas."""
    if not text.isascii():
        text = _RAISED.sub("^", _GROUP_SPACE.sub("", text))
    return normal(text)


@cache
def _countable() -> frozenset[str]:
    """Return the dimensions of what a time can be added to: 日産 30トン."""
    units = map(read_unit, ("kg", "m3", "Nm3", "piece", "batch", "sample"))
    return frozenset(unit.dimension for unit in units if unit)


def _reads(text: str, language: str) -> Iterator[_Read]:
    for place, found in enumerate(_amount().finditer(text)):
        if place == MAX_NUMBERS:
            return
        value = read_number(found["number"], language)
        if value is None:
            continue
        times = spellings()["times"].get((found["times"] or "").lower(), 1.0)
        value *= times
        start, unit = found.start(), (found["unit"] or "") + (found["per"] or "")
        if _MINUS.search(text, max(0, start - 2), start):
            value = -value
        yield _Read(start, found.end(), value, times, unit if _is_unit(unit) else "")


def _is_unit(unit: str) -> bool:
    """Whether it may be one: a lone letter must be written as it is («5 M» are no metres)."""
    return len(unit) <= MAX_UNIT and (len(unit) != 1 or not unit.isupper() or unit in "LTWKJ")


def _joined(first: _Read, second: _Read, text: str, unit: Unit) -> tuple[float, float] | None:
    """Return the interval that two numbers make, if the text between them says so."""
    gap, one, two = text[first.end : second.start], first.value, second.value
    if len(gap) > _MAX_GAP:
        return None
    if two < 0:
        # A sign with nothing before it is the dash of a range: «12 -15 %», 500톤-600톤.
        gap, two = (gap[:-1], two) if gap[:-1].strip() else ("-", -two)
    if unit.dimension != _DEGREES:
        one, two = abs(one), abs(two)
    bounds = _bounds()
    if bounds["tolerance"].fullmatch(gap):
        return one - abs(two), one + abs(two)
    opened = bounds["pair"].fullmatch(gap) and bounds["opening"].search(
        text, max(0, first.start - LEAD), first.start
    )
    other = read_unit(first.unit) if first.unit else unit
    if not first.unit and first.times == 1:
        one *= second.times
    if not (opened or bounds["range"].fullmatch(gap)) or other is None:
        return None
    if other.dimension != unit.dimension:
        return None
    # In the unit of the second: «0,5 t/h – 800 kg/h».
    one = (one * other.factor + other.offset - unit.offset) / unit.factor
    return min(one, two), max(one, two)


def _timed(written: str, unit: Unit, lead: str, tail: str) -> Unit:
    """Give an amount the time that stands before or well after it."""
    if unit.dimension not in _countable():
        return unit
    before, after = _rates()
    found = before.search(lead) or after.match(tail)
    return read_unit(f"{written}/{found.lastgroup}") or unit if found else unit


def _bounded(value: float, lead: str, tail: str) -> tuple[float, float]:
    """Return the interval of one number with the words around it."""
    bounds = _bounds()
    most, least = (bounds[f"before {name}"].search(lead) for name in ("at_most", "at_least"))
    # The longer phrase counts: «không dưới» is no «dưới».
    if most and (not least or most.start() <= least.start()):
        return -inf, value
    if least or bounds["after at_least"].match(tail):
        return value, inf
    return (-inf, value) if bounds["after at_most"].match(tail) else (value, value)


def read_amounts(text: str, folded: str, language: str) -> list[Amount]:
    """Return the amounts of plain `text` with a known unit, in their order; `folded` is its key."""
    amounts: list[Amount] = []
    previous: _Read | None = None
    for read in _reads(text, language):
        first, previous = previous, read
        unit = read_unit(read.unit) if read.unit else None
        if unit is None:
            continue
        pair = _joined(first, read, folded, unit) if first else None
        if first and pair and amounts and amounts[-1].end == first.end:
            amounts.pop()
        start = first.start if first and pair else read.start
        lead, tail = folded[max(0, start - LEAD) : start], folded[read.end : read.end + TAIL]
        unit = _timed(read.unit, unit, lead, tail)
        # A minus means something before degrees; elsewhere it is a dash («- 500 kg/h», «−40 %»).
        value = read.value if unit.dimension == _DEGREES else abs(read.value)
        low, high = pair or _bounded(value, lead.rstrip("-− "), tail)
        amounts += _sized(start, read.end, low, high, unit)
    return amounts


def _sized(start: int, end: int, low: float, high: float, unit: Unit) -> Iterator[Amount]:
    """Yield the interval in base units, unless it is absurd."""
    least = low if low == -inf else unit.base(low)
    most = high if high == inf else unit.base(high)
    if least is not None and most is not None:
        yield Amount(start, end, least, most, unit.dimension)
