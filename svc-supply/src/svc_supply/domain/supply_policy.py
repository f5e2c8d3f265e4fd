"""Who may see a supply and who may change it: the one place that get, list and event ask."""

from typing import Protocol, TypeVar

from shared.contracts.base import Visibility
from shared.contracts.identity import SYSTEM, Caller, Scope
from shared.contracts.lifecycles import Actor
from shared.contracts.supplies import Supply, SupplyStatus
from shared.kernel.errors import ForbiddenError, not_found


class Shown(Protocol):
    """What the policy asks about a supply."""

    @property
    def owner(self) -> str: ...

    @property
    def status(self) -> SupplyStatus: ...

    @property
    def visibility(self) -> Visibility: ...


Seen = TypeVar("Seen", bound=Shown)


def actors_of(caller: Caller, supply: Shown) -> frozenset[Actor]:
    """Return what the caller is to this supply; empty for an outsider."""
    if caller is SYSTEM:
        return frozenset({Actor.SYSTEM})
    actors = set()
    if caller.is_operator:
        actors.add(Actor.OPERATOR)
    if caller.tenant and caller.tenant == supply.owner:
        actors.add(Actor.OWNER)
    return frozenset(actors)


def movers_of(caller: Caller, supply: Supply) -> frozenset[Actor]:
    """Return as what the caller may move this supply: nothing without the scope to write."""
    if caller is SYSTEM or Scope.SUPPLIES_WRITE in caller.scopes:
        return actors_of(caller, supply)
    return frozenset()


def may_see(caller: Caller, supply: Shown) -> bool:
    """Insiders see it in every status; others when it is PUBLISHED, as `visibility` says.

    `storage.supplies.show_to` says the same in SQL; a test holds the two together.
    """
    if actors_of(caller, supply):
        return True
    if supply.status is not SupplyStatus.PUBLISHED:
        return False
    if supply.visibility is Visibility.PARTNERS:
        return caller.sees_partners
    return supply.visibility is Visibility.PUBLIC


def require_sight(caller: Caller, supply: Seen | None) -> Seen:
    """Return the supply; what the caller may not see is answered like what does not exist."""
    if supply is None or not may_see(caller, supply):
        raise not_found("supply", "nguồn cung")
    return supply


def require_insider(caller: Caller, supply: Supply | None) -> frozenset[Actor]:
    """Return what the caller is to the supply: 404 unseen, 403 when only to be looked at."""
    actors = actors_of(caller, require_sight(caller, supply))
    if not actors:
        raise ForbiddenError(
            "not_yours",
            "You may read this supply, but not change it.",
            "Bạn được xem nguồn cung này nhưng không được thay đổi.",
        )
    return actors
