"""This service's own copies of demands and supplies: which count, and which is newer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.contracts.base import Visibility
from shared.contracts.demands import DemandState, DemandStatus
from shared.contracts.supplies import SupplyState, SupplyStatus


class ItemKind(StrEnum):
    DEMAND = "DEMAND"
    SUPPLY = "SUPPLY"


OPEN = DemandStatus.PUBLISHED
"""Only published demands are matched."""

LIVE = SupplyStatus.PUBLISHED
"""Only published supplies are ranked."""


_AFTER_PUBLICATION = frozenset(
    {
        DemandStatus.PUBLISHED,
        DemandStatus.ON_HOLD,
        DemandStatus.FULFILLED,
        DemandStatus.EXPIRED,
    }
)


def published_by(demand: DemandState) -> datetime | None:
    """Return a time by which the demand had been published, None when this state shows none.

    The earliest over all its states is its first publication: it may be first heard of on hold.
    """
    return demand.updated_at if demand.status in _AFTER_PUBLICATION else None


def is_offered(visibility: Visibility) -> bool:
    """Whether others may find the supply: a place in a list, or a near miss, would show it."""
    return visibility is not Visibility.PRIVATE


@dataclass(frozen=True, slots=True, order=True)
class Age:
    """How new a copy is: the producer's database epoch first, then the version.

    A producer that was restored from a backup counts its versions anew in a later epoch.
    """

    db_epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class Item:
    """What the policy needs to know of a demand or supply."""

    id: UUID
    kind: ItemKind
    version: int
    status: str
    owner: str
    visibility: Visibility
    province: str | None


@dataclass(frozen=True, slots=True)
class DemandArrival:
    """A demand's state as an event brought it."""

    age: Age
    state: DemandState


@dataclass(frozen=True, slots=True)
class SupplyArrival:
    """A supply's state as an event brought it."""

    age: Age
    state: SupplyState
