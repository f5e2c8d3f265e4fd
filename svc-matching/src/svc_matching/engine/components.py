"""The structured components: each a value in [0, 1] and whether it is known, for a block of pairs.

Unknown counts a neutral 0.5. Every value is made of single arithmetic steps, so a pair has the
same value alone or in a block.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from shared.contracts.values import TransferForm, TransferMethod, TransferPart
from svc_matching.engine.columns import EXCLUSIVITIES, RIGHTS, SCOPES, SupplyColumns, bits
from svc_matching.engine.facts import DemandFacts
from svc_matching.engine.quantities import Fit
from svc_matching.engine.weights import LEVELS

Slots = NDArray[np.int64]
Values = NDArray[np.float64]
Known = NDArray[np.bool_]
Column = tuple[Values, Known]

NEUTRAL = 0.5
_MARGIN = np.array([0.6, 0.8, 1.0])
_ONES = np.array([number.bit_count() for number in range(256)], np.float64)


def _column(values: NDArray[np.generic], known: Known) -> Column:
    return np.where(known, values, NEUTRAL).astype(np.float64), known


def _unknown(slots: Slots) -> Column:
    return np.full(len(slots), NEUTRAL), np.zeros(len(slots), np.bool_)


class Components:
    """The suitability and feasibility of supplies for one demand."""

    def __init__(self, columns: SupplyColumns) -> None:
        self._columns = columns

    def suitability(
        self, demand: DemandFacts, slots: Slots, fits: dict[int, Fit]
    ) -> Iterator[Column]:
        """Yield the columns in the order of `weights.SUITABILITY`."""
        yield self._trl(demand, slots)
        yield _quantities(slots, fits)
        yield self._transfer(demand, slots)
        yield self._country(demand, slots)
        yield self._language(demand, slots)
        ipr = self._columns.take("ipr", slots)
        yield _column(ipr, ~np.isnan(ipr))
        yield self._deadline(demand, slots)

    def feasibility(self, demand: DemandFacts, slots: Slots) -> Iterator[Column]:
        """Yield the columns in the order of `weights.FEASIBILITY`."""
        yield self._price(demand, slots)
        for place in range(len(LEVELS)):
            yield self._level(demand, slots, place)

    def _trl(self, demand: DemandFacts, slots: Slots) -> Column:
        if demand.trl_min is None:
            return _unknown(slots)
        trl = self._columns.take("trl", slots).astype(np.int16)
        margin = np.clip(trl - demand.trl_min, 0, 2)
        return _column(np.where(trl < demand.trl_min, 0.0, _MARGIN[margin]), trl > 0)

    def _transfer(self, demand: DemandFacts, slots: Slots) -> Column:
        """The mean over the terms that both sides state; EITHER agrees with everything."""
        terms, take = demand.transfer, self._columns.take
        total = np.zeros(len(slots))
        compared = np.zeros(len(slots))
        choices = (
            ("scope", terms.scope, SCOPES),
            ("right", terms.right, RIGHTS),
            ("exclusivity", terms.exclusivity, EXCLUSIVITIES),
        )
        for name, wanted, names in choices:
            if wanted is None:
                continue
            have = take(name, slots)
            agrees = (have == names.index(wanted)) | (have == names.index("EITHER"))
            total += np.where(have > 0, np.where(agrees | (wanted == "EITHER"), 1.0, 0.4), 0.0)
            compared += have > 0
        sets = (
            ("forms", bits(terms.forms, TransferForm)),
            ("parts", bits(terms.parts, TransferPart)),
            ("methods", bits(terms.methods, TransferMethod)),
        )
        for name, chosen in sets:
            if chosen:
                offered = take(name, slots).astype(np.uint8)
                share = _ONES[offered & np.uint8(chosen)] / _ONES[chosen]
                total += np.where(offered > 0, share, 0.0)
                compared += offered > 0
        return _column(total / np.maximum(compared, 1), compared > 0)

    def _country(self, demand: DemandFacts, slots: Slots) -> Column:
        if not demand.preferred:
            return _unknown(slots)
        country = self._columns.take("country", slots)
        preferred = [self._columns.countries.number(code) for code in demand.preferred]
        return _column(np.where(np.isin(country, preferred), 1.0, 0.3), country != 0)

    def _language(self, demand: DemandFacts, slots: Slots) -> Column:
        """The same language 1, a translation .9, English .6, another language .3."""
        if demand.language is None:
            return _unknown(slots)
        names = self._columns.languages
        language = self._columns.take("language", slots)
        spoken = self._columns.take("languages", slots).astype(np.uint64)
        own, english = names.mask(frozenset({demand.language})), names.mask(frozenset({"en"}))
        value = np.where((spoken & np.uint64(english)) > 0, 0.6, 0.3)
        value = np.where((spoken & np.uint64(own)) > 0, 0.9, value)
        value = np.where(language == names.number(demand.language), 1.0, value)
        return _column(value, language != 0)

    def _deadline(self, demand: DemandFacts, slots: Slots) -> Column:
        if demand.needed_by is None:
            return _unknown(slots)
        until = self._columns.take("until", slots).astype(np.int32)
        return _column(np.where(until >= demand.needed_by, 1.0, 0.3), until > 0)

    def _price(self, demand: DemandFacts, slots: Slots) -> Column:
        """Within the budget 1, above it the share that the budget covers."""
        if demand.ceiling is None:
            return _unknown(slots)
        price = self._columns.take("price", slots).astype(np.float64)
        known = ~np.isnan(price)
        covered = demand.ceiling / np.where(known & (price > 0), price, 1.0)
        return _column(np.where(price <= demand.ceiling, 1.0, np.minimum(covered, 1.0)), known)

    def _level(self, demand: DemandFacts, slots: Slots, place: int) -> Column:
        level = demand.levels[place]
        if level is None:
            return _unknown(slots)
        needed = self._columns.levels(place, slots).astype(np.int16)
        return _column(1.0 - np.maximum(needed - level, 0) / 4, needed > 0)


def _quantities(slots: Slots, fits: dict[int, Fit]) -> Column:
    values, known = _unknown(slots)
    if fits:
        for place, slot in enumerate(slots.tolist()):
            fit = fits.get(slot)
            if fit is not None and fit.compared:
                values[place], known[place] = fit.value, True
    return values, known
