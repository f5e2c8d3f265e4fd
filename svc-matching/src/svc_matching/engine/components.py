"""The structured components: each a value in [0, 1] and whether it is known, for a block of pairs.

Unknown counts a neutral 0.5. Every value is made of single arithmetic steps, so a pair has the
same value alone or in a block.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.columns import EXCLUSIVITIES, RIGHTS, SCOPES, SupplyColumns
from svc_matching.engine.quantities import Fit
from svc_matching.engine.wants import Wants
from svc_matching.engine.weights import LEVELS

Rows = NDArray[np.int64]
"""For each pair the row of its demand among the `Wants`."""

Slots = NDArray[np.int64]
"""For each pair the slot of its supply."""

Values = NDArray[np.float64]
Known = NDArray[np.bool_]
Column = tuple[Values, Known]
Fits = Mapping[int, Fit]
"""How measured quantities meet, by the place of the pair in its block."""

NEUTRAL = 0.5
_MARGIN = np.array([0.6, 0.8, 1.0])
_ONES = np.array([number.bit_count() for number in range(256)], np.float64)


def _column(values: NDArray[np.generic], known: Known) -> Column:
    return np.where(known, values, NEUTRAL).astype(np.float64, copy=False), known


def unknown(count: int) -> Column:
    return np.full(count, NEUTRAL), np.zeros(count, np.bool_)


class Components:
    """The suitability and feasibility of supplies for some demands."""

    def __init__(self, columns: SupplyColumns) -> None:
        self._columns = columns

    def suitability(self, wants: Wants, rows: Rows, slots: Slots, fits: Fits) -> Iterator[Column]:
        """Yield the columns in the order of `weights.SUITABILITY`."""
        yield self._trl(wants, rows, slots)
        yield _quantities(len(slots), fits)
        yield self._transfer(wants, rows, slots)
        yield self._country(wants, rows, slots)
        yield self._language(wants, rows, slots)
        ipr = self._columns.take("ipr", slots)
        yield _column(ipr, ~np.isnan(ipr))
        yield self._deadline(wants, rows, slots)

    def feasibility(self, wants: Wants, rows: Rows, slots: Slots) -> Iterator[Column]:
        """Yield the columns in the order of `weights.FEASIBILITY`."""
        yield self._price(wants, rows, slots)
        for place in range(len(LEVELS)):
            yield self._level(wants, rows, slots, place)

    def _trl(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        if not wants.trl.any():
            return unknown(len(slots))
        least, trl = wants.trl[rows], self._columns.take("trl", slots)
        margin = np.clip(trl - least, 0, 2)
        known = (trl > 0) & (least > 0)
        return _column(np.where(trl < least, 0.0, _MARGIN[margin]), known)

    def _transfer(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        """The mean over the terms that both sides state; EITHER agrees with everything."""
        total, compared = np.zeros(len(slots)), np.zeros(len(slots))
        choices = (
            ("scope", wants.scope, SCOPES),
            ("right", wants.right, RIGHTS),
            ("exclusivity", wants.exclusivity, EXCLUSIVITIES),
        )
        for name, stated, names in choices:
            if not stated.any():
                continue
            wanted, have, either = (
                stated[rows],
                self._columns.take(name, slots),
                names.index("EITHER"),
            )
            both = (have > 0) & (wanted > 0)
            agrees = (have == wanted) | (have == either) | (wanted == either)
            total += np.where(both, np.where(agrees, 1.0, 0.4), 0.0)
            compared += both
        sets = (("forms", wants.forms), ("parts", wants.parts), ("methods", wants.methods))
        for name, asked in sets:
            if not asked.any():
                continue
            chosen, offered = asked[rows], self._columns.take(name, slots)
            both = (offered > 0) & (chosen > 0)
            share = _ONES[offered & chosen] / np.maximum(_ONES[chosen], 1.0)
            total += np.where(both, share, 0.0)
            compared += both
        return _column(total / np.maximum(compared, 1), compared > 0)

    def _country(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        picky = np.asarray(wants.preferred.any(axis=1))
        if not picky.any():
            return unknown(len(slots))
        country = self._columns.take("country", slots)
        value = np.where(wants.preferred[rows, country], 1.0, 0.3)
        return _column(value, (country != 0) & picky[rows])

    def _language(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        """The same language 1, a translation .9, English .6, another language .3."""
        language, spoken = (self._columns.take(name, slots) for name in ("language", "languages"))
        wanted = wants.language[rows]
        english = np.uint64(self._columns.languages.mask(frozenset({"en"})))
        value = np.where((spoken & english) > 0, 0.6, 0.3)
        translated = (spoken & wants.language_mask[rows]) > 0
        # The 64th language and later ones have no bit; which those are, must not matter.
        for place in np.flatnonzero((wants.language_mask[rows] == 0) & (wanted != 0)).tolist():
            spoken_by = self._columns.facts[int(slots[place])].languages
            translated[place] = wants.spoken[rows[place]] in spoken_by
        value = np.where(translated, 0.9, value)
        value = np.where(language == wanted, 1.0, value)
        return _column(value, (language != 0) & (wanted != 0))

    def _deadline(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        if not wants.needed_by.any():
            return unknown(len(slots))
        until, needed_by = self._columns.take("until", slots), wants.needed_by[rows]
        return _column(np.where(until >= needed_by, 1.0, 0.3), (until > 0) & (needed_by > 0))

    def _price(self, wants: Wants, rows: Rows, slots: Slots) -> Column:
        """Within the budget 1, above it the share that the budget covers."""
        if np.isnan(wants.ceiling).all():
            return unknown(len(slots))
        price, ceiling = self._columns.take("price", slots), wants.ceiling[rows]
        known = ~(np.isnan(price) | np.isnan(ceiling))
        covered = ceiling / np.where(known & (price > 0), price, 1.0)
        return _column(np.where(price <= ceiling, 1.0, np.minimum(covered, 1.0)), known)

    def _level(self, wants: Wants, rows: Rows, slots: Slots, place: int) -> Column:
        if not wants.levels[:, place].any():
            return unknown(len(slots))
        level, needed = wants.levels[rows, place], self._columns.levels(place, slots)
        known = (needed > 0) & (level > 0)
        return _column(1.0 - np.maximum(needed - level, 0) / 4, known)


def _quantities(count: int, fits: Fits) -> Column:
    values, known = unknown(count)
    for place, fit in fits.items():
        if fit.compared:
            values[place], known[place] = fit.value, True
    return values, known
