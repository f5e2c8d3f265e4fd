"""The close look at pairs, compiled: every gate, every component, the product formula.

Columns are read slot by slot. Nothing but single arithmetic steps in one order, so a pair has the
same value alone or among others. A component that is not known is NaN until it is noted.
"""

from math import isnan, nan

import numpy as np
from numba import types

from svc_matching.engine.compiling import compiled, part
from svc_matching.engine.look_types import (
    ABOUT,
    B1,
    F8,
    FORMULA,
    I2,
    LOOKS,
    MEASURED,
    NEEDS,
    SUPPLIES,
    WANT,
    About,
    Formula,
    Looks,
    Measured,
    Needs,
    Supplies,
    Want,
)

LIVE, HELD, PAST = 1, 2, 3
"""Status of a supply; 0 is none."""

(
    _EXPIRED,
    _ON_HOLD,
    _LEGAL,
    _COUNTRY,
    _USED,
    _OLD,
    _TRL,
    _RIGHT,
    _EXCLUSIVITY,
    _SCOPE,
    _SPEC,
    _BUDGET,
    _ABSORPTION,
) = (1 << place for place in range(13))
"""The codes in the order of `ReasonCode`; test_close_look compares them."""

_RELEVANCE, _SUITABILITY = 5, 7
"""How many components there are of each family."""

_NEUTRAL = 0.5
"""As `arrays.NEUTRAL`."""

_EXACT = 1e-9
_DISAGREES, _ELSEWHERE, _LATE = 0.4, 0.3, 0.3
_TRANSLATED, _IN_ENGLISH, _FOREIGN = 0.9, 0.6, 0.3


def code_number(code: str | None) -> int:
    """Return the number of a country or language, two or three letters; 0 is none."""
    number = 0
    for letter in (code or "").lower():
        number = 27 * number + ord(letter) - ord("a") + 1
    return number


_ENGLISH = code_number("en")


@part
def _is_in(number: int, numbers: I2) -> bool:
    for each in numbers:  # noqa: SIM110 - numba compiles no generator
        if each == number:
            return True
    return False


@part
def _trl(want: Want, supplies: Supplies, slot: int) -> float:
    trl = supplies.trl[slot]
    if trl == 0 or want.trl == 0:
        return nan
    if trl < want.trl:
        return 0.0
    return (0.6, 0.8, 1.0)[min(trl - want.trl, 2)]


@part
def _closeness(low: float, high: float, have_low: float, have_high: float) -> float:
    """See `quantities.closeness`."""
    gap = max(low - have_high, have_low - high)
    if gap <= 0:
        return 1.0
    edge = abs(low if have_high < low else high)
    return 1.0 if gap <= _EXACT * edge else max(0.0, 1.0 - gap / max(edge, _EXACT))


@part
def _quantities(needs: Needs, measured: Measured, slot: int) -> tuple[float, bool]:
    """Return the mean closeness, and whether a `must` is missed; see `quantities.fit`."""
    total, compared, misses = 0.0, 0, False
    first = measured.starts[slot]
    last = first + measured.counts[slot]
    for need in range(len(needs.measures)):
        value, read = -1.0, False
        for have in range(first, last):
            if measured.measures[have] == needs.measures[need]:
                near = _closeness(
                    needs.lows[need], needs.highs[need], measured.lows[have], measured.highs[have]
                )
                if near > value:
                    value, read = near, measured.read[have]
        if value >= 0:
            compared += 1
            total += value
            misses |= needs.must[need] and value < 1 and not read
    return total / compared if compared else nan, misses


@part
def _bits(number: int) -> int:
    count = 0
    while number:
        number &= number - 1
        count += 1
    return count


@part
def _transfer(want: Want, supplies: Supplies, slot: int) -> float:
    """The mean over the terms that both sides state; EITHER agrees with everything."""
    total, compared = 0.0, 0
    for wanted, offered in (
        (want.scope, supplies.scope[slot]),
        (want.right, supplies.right[slot]),
        (want.exclusivity, supplies.exclusivity[slot]),
    ):
        if wanted and offered:
            total += 1.0 if wanted & offered else _DISAGREES
            compared += 1
    for wanted, offered in (
        (want.forms, supplies.forms[slot]),
        (want.parts, supplies.parts[slot]),
        (want.methods, supplies.methods[slot]),
    ):
        if wanted and offered:
            total += _bits(wanted & offered) / _bits(wanted)
            compared += 1
    return total / compared if compared else nan


@part
def _country(want: Want, supplies: Supplies, slot: int) -> float:
    country = supplies.country[slot]
    if country == 0 or len(want.preferred) == 0:
        return nan
    return 1.0 if _is_in(country, want.preferred) else _ELSEWHERE


@part
def _language(want: Want, supplies: Supplies, slot: int) -> float:
    """The same language 1, a translation .9, English .6, another language .3."""
    language = supplies.language[slot]
    if language == 0 or want.language == 0:
        return nan
    if language == want.language:
        return 1.0
    spoken = supplies.spoken[slot]
    if _is_in(want.language, spoken):
        return _TRANSLATED
    return _IN_ENGLISH if _is_in(_ENGLISH, spoken) else _FOREIGN


@part
def _deadline(want: Want, supplies: Supplies, slot: int) -> float:
    until = supplies.until[slot]
    if until == 0 or want.needed_by == 0:
        return nan
    return 1.0 if until >= want.needed_by else _LATE


@part
def _price(want: Want, supplies: Supplies, slot: int) -> float:
    """Within the budget 1, above it the share that the budget covers."""
    price = supplies.price[slot]
    if isnan(price) or isnan(want.ceiling):
        return nan
    return 1.0 if price <= want.ceiling else min(want.ceiling / price, 1.0)


@part
def _reasons(want: Want, supplies: Supplies, slot: int, oldest: int) -> int:
    """Return all that stands in the way but quantities; what a side does not state never does."""
    status, trl, country = supplies.status[slot], supplies.trl[slot], supplies.country[slot]
    used, made = supplies.used[slot], supplies.year_made[slot]
    short = False
    for place in range(len(want.levels)):
        short |= 0 < want.levels[place] < supplies.levels[slot, place]
    mask: int = (
        _EXPIRED * (status == PAST)
        | _ON_HOLD * (status == HELD)
        | _LEGAL * supplies.restricted[slot]
        | _COUNTRY * (country != 0 and _is_in(country, want.excluded))
        | _USED * (used and want.refuses_used)
        | _OLD * (used and 0 < made < oldest)
        | _TRL * (0 < trl < want.trl)
        | _RIGHT * (supplies.right[slot] == want.right_clash)
        | _EXCLUSIVITY * (supplies.exclusivity[slot] == want.exclusivity_clash)
        | _SCOPE * (supplies.scope[slot] == want.scope_clash)
        # What is not known is NaN, and nothing is above or below that.
        | _BUDGET * (supplies.price[slot] > want.ceiling)
        | _ABSORPTION * short
    )
    return mask


@part
def _note(values: F8, known: B1, place: int, value: float) -> None:
    known[place] = not isnan(value)
    values[place] = value if known[place] else _NEUTRAL


@part
def _mean(values: F8, weights: F8, first: int) -> float:
    total: float = weights[0] * values[first]
    for place in range(1, len(weights)):
        total += weights[place] * values[first + place]
    return total


@part
def _relevance(about: About, number: int, weights: F8, values: F8, known: B1) -> float:
    """Blend the terms with their sides; an unknown side leaves it to the terms."""
    slot, terms = about.slots[number], about.terms[number]
    _note(values, known, 0, terms)
    for side in range(len(about.nears)):
        near, each = about.nears[side], about.sets[side][slot]
        _note(values, known, 1 + side, near[each] if len(near) and each else nan)
    _note(values, known, 4, about.dense[number] if about.dense_known[number] else nan)
    total: float = weights[0] * terms
    for place in range(1, _RELEVANCE):
        total += weights[place] * (values[place] if known[place] else terms)
    return min(total, 1.0)


@compiled(WANT, NEEDS, SUPPLIES, MEASURED, ABOUT, FORMULA, types.int64, LOOKS)
def look(
    want: Want,
    needs: Needs,
    supplies: Supplies,
    measured: Measured,
    about: About,
    formula: Formula,
    first: int,
    looks: Looks,
) -> None:
    """Look at the pairs of one demand; their rows in `looks` are from `first` on."""
    # The places are those of `weights.COMPONENTS`.
    for number in range(len(about.slots)):
        slot, row = about.slots[number], first + number
        values, known = looks.values[row], looks.known[row]
        relevance = _relevance(about, number, formula.relevance, values, known)
        closeness, misses = _quantities(needs, measured, slot)
        _note(values, known, 5, _trl(want, supplies, slot))
        _note(values, known, 6, closeness)
        _note(values, known, 7, _transfer(want, supplies, slot))
        _note(values, known, 8, _country(want, supplies, slot))
        _note(values, known, 9, _language(want, supplies, slot))
        _note(values, known, 10, supplies.ipr[slot])
        _note(values, known, 11, _deadline(want, supplies, slot))
        _note(values, known, 12, _price(want, supplies, slot))
        for place in range(len(want.levels)):
            level, needed = want.levels[place], supplies.levels[slot, place]
            both = level > 0 and needed > 0
            _note(values, known, 13 + place, 1.0 - max(needed - level, 0) / 4 if both else nan)
        multiplier = (
            formula.base
            + formula.suitability_share * _mean(values, formula.suitability, _RELEVANCE)
            + formula.feasibility_share
            * _mean(values, formula.feasibility, _RELEVANCE + _SUITABILITY)
        )
        looks.relevance[row] = relevance
        looks.scores[row] = np.rint(1_000_000 * (relevance * min(multiplier, 1.0)))
        reasons = _reasons(want, supplies, slot, formula.oldest)
        looks.reasons[row] = reasons | (_SPEC if misses else 0)
