"""What the gates and components compare, read once from a profile."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import (
    Condition,
    IprStatus,
    IprType,
    LegalList,
    SupplyProfile,
    SupplyStatus,
)
from shared.contracts.values import AbsorptionLevels, Money, TransferTerms
from svc_matching.engine.money import ceiling, lowest_price
from svc_matching.engine.quantities import Range, read_ranges, with_read
from svc_matching.engine.views import View, read_quantities
from svc_matching.engine.weights import LEVELS

NO_TERMS = TransferTerms()
_IPR_STATUS = {IprStatus.GRANTED: 1.0, IprStatus.APPLIED: 0.8, IprStatus.LAPSED: 0.3, None: 0.7}


@dataclass(frozen=True, slots=True)
class DemandFacts:
    """The demand's side of every comparison; None or empty is unknown."""

    fields: tuple[str, ...]
    industries: tuple[str, ...]
    ipc: tuple[str, ...]
    trl_min: int | None
    needs: tuple[Range, ...]
    transfer: TransferTerms
    preferred: frozenset[str]
    excluded: frozenset[str]
    accepts_used: bool | None
    language: str | None
    needed_by: int | None
    budget: Money | None
    ceiling: float | None
    levels: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class SupplyFacts:
    """The supply's side; None or empty is unknown."""

    status: SupplyStatus
    fields: tuple[str, ...]
    industries: tuple[str, ...]
    ipc: tuple[str, ...]
    trl: int | None
    haves: tuple[Range, ...]
    transfer: TransferTerms
    country: str | None
    used: bool
    year_made: int | None
    restricted: bool
    languages: frozenset[str]
    language: str | None
    ipr: float | None
    until: int | None
    price: Money | None
    lowest_price: float | None
    levels: tuple[int | None, ...]


def _levels(levels: AbsorptionLevels | None) -> tuple[int | None, ...]:
    return tuple(getattr(levels, name) if levels else None for name in LEVELS)


def demand_facts(profile: DemandProfile, views: Sequence[View]) -> DemandFacts:
    """Read a demand; its views tell its languages, and the quantities named in its text."""
    return DemandFacts(
        fields=tuple(profile.fields),
        industries=tuple(profile.industries),
        ipc=tuple(profile.ipc),
        trl_min=profile.trl_min,
        needs=with_read(read_ranges(profile.requirements), read_quantities(views)),
        transfer=profile.transfer or NO_TERMS,
        preferred=frozenset(profile.preferred_countries),
        excluded=frozenset(profile.excluded_countries),
        accepts_used=profile.accepts_used_equipment,
        language=views[0].language if views else None,
        needed_by=profile.needed_by.toordinal() if profile.needed_by else None,
        budget=profile.budget,
        ceiling=ceiling(profile.budget),
        levels=_levels(profile.absorption),
    )


def supply_facts(
    profile: SupplyProfile, status: SupplyStatus, views: Sequence[View]
) -> SupplyFacts:
    """Read a supply; its views tell the same as a demand's."""
    return SupplyFacts(
        status=status,
        fields=tuple(profile.fields),
        industries=tuple(profile.industries),
        ipc=tuple(profile.ipc),
        trl=profile.trl,
        haves=with_read(read_ranges(profile.specifications), read_quantities(views)),
        transfer=profile.transfer or NO_TERMS,
        country=profile.country,
        used=profile.condition is Condition.USED,
        year_made=profile.year_made,
        restricted=profile.legal_list in {LegalList.RESTRICTED, LegalList.PROHIBITED},
        languages=frozenset(view.language for view in views),
        language=views[0].language if views else None,
        ipr=_ipr_strength(profile),
        until=profile.available_until.toordinal() if profile.available_until else None,
        price=profile.price,
        lowest_price=lowest_price(profile.price),
        levels=_levels(profile.requires),
    )


def _ipr_strength(profile: SupplyProfile) -> float | None:
    """The best right counts; «none» said outright is known, an empty list is not."""
    if not profile.ipr:
        return None
    return max(
        0.2 if right.type is IprType.NONE else _IPR_STATUS[right.status] for right in profile.ipr
    )
