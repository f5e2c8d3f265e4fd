"""Who may see a demand and who may change it: the one place that get, list and event ask."""

from typing import Protocol, TypeVar

from shared.contracts.base import Visibility
from shared.contracts.demands import Demand, DemandProfile, DemandStatus
from shared.contracts.identity import SYSTEM, Caller, Role, Scope
from shared.contracts.lifecycles import Actor
from shared.contracts.places import same_province
from shared.kernel.errors import FieldError, ForbiddenError, not_found


class Shown(Protocol):
    """What the policy asks about a demand."""

    @property
    def owner(self) -> str: ...

    @property
    def status(self) -> DemandStatus: ...

    @property
    def visibility(self) -> Visibility: ...

    @property
    def province(self) -> str | None: ...


Seen = TypeVar("Seen", bound=Shown)


def actors_of(caller: Caller, demand: Shown) -> frozenset[Actor]:
    """Return what the caller is to this demand; empty for an outsider."""
    if caller is SYSTEM:
        return frozenset({Actor.SYSTEM})
    actors = set()
    if caller.is_operator:
        actors.add(Actor.OPERATOR)
    if caller.tenant and caller.tenant == demand.owner:
        actors.add(Actor.OWNER)
    if caller.role is Role.DOST and same_province(caller.province, demand.province):
        actors.add(Actor.DOST)
    return frozenset(actors)


def movers_of(caller: Caller, demand: Demand) -> frozenset[Actor]:
    """Return as what the caller may move this demand: nothing without the scope to write."""
    if caller is SYSTEM or Scope.DEMANDS_WRITE in caller.scopes:
        return actors_of(caller, demand)
    return frozenset()


def may_see(caller: Caller, demand: Shown) -> bool:
    """Insiders see it in every status; others when it is PUBLISHED, as `visibility` says.

    `storage.demands.show_to` says the same in SQL; a test holds the two together.
    """
    if actors_of(caller, demand):
        return True
    if demand.status is not DemandStatus.PUBLISHED:
        return False
    if demand.visibility is Visibility.PARTNERS:
        return caller.sees_partners
    return demand.visibility is Visibility.PUBLIC


def require_sight(caller: Caller, demand: Seen | None) -> Seen:
    """Return the demand; what the caller may not see is answered like what does not exist."""
    if demand is None or not may_see(caller, demand):
        raise not_found("demand", "nhu cầu")
    return demand


def require_insider(caller: Caller, demand: Demand | None) -> frozenset[Actor]:
    """Return what the caller is to the demand: 404 unseen, 403 when only to be looked at."""
    actors = actors_of(caller, require_sight(caller, demand))
    if not actors:
        raise ForbiddenError(
            "not_yours",
            "You may read this demand, but not change it.",
            "Bạn được xem nhu cầu này nhưng không được thay đổi.",
        )
    return actors


def require_own_province(caller: Caller, profile: DemandProfile) -> None:
    """A DOST acts for its own province only."""
    if caller.role is Role.DOST and not same_province(caller.province, profile.province):
        raise ForbiddenError(
            "province_foreign",
            f"You act for the province {caller.province}; `province` must be it.",
            f"Bạn chỉ được lập nhu cầu của tỉnh {caller.province}; hãy ghi đúng `province`.",
            errors=(
                FieldError(
                    "/province", "province_foreign", "Not your province", "Không phải tỉnh của bạn."
                ),
            ),
        )


def require_own_key(caller: Caller, demand: Demand, profile: DemandProfile) -> None:
    """The sender's key is the owner's: whether it is taken already tells of its other demands."""
    if profile.source_ref == demand.source_ref:
        return
    if not actors_of(caller, demand) & {Actor.OWNER, Actor.OPERATOR}:
        raise ForbiddenError(
            "source_ref_foreign",
            "Only the owner and operators may change `source_ref`.",
            "Chỉ bên sở hữu và cơ quan vận hành được đổi `source_ref`.",
            errors=(
                FieldError(
                    "/source_ref", "source_ref_foreign", "Not your key", "Không phải mã của bạn."
                ),
            ),
        )
