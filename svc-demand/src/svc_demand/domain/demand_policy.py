"""Who may see a demand and who may change it: the one place that get, list and event ask."""

from shared.contracts.base import Visibility
from shared.contracts.demands import Demand, DemandProfile, DemandStatus
from shared.contracts.identity import SYSTEM, Caller, Role
from shared.contracts.lifecycles import Actor
from shared.contracts.places import same_province
from shared.kernel.errors import FieldError, ForbiddenError, not_found


def actors_of(caller: Caller, demand: Demand) -> frozenset[Actor]:
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


def may_see(caller: Caller, demand: Demand) -> bool:
    """Insiders see it in every status; others when it is PUBLISHED, as `visibility` says.

    `storage.demands.visible_to` says the same in SQL; a test holds the two together.
    """
    if actors_of(caller, demand):
        return True
    if demand.status is not DemandStatus.PUBLISHED:
        return False
    if demand.visibility is Visibility.PARTNERS:
        return caller.sees_partners
    return demand.visibility is Visibility.PUBLIC


def require_sight(caller: Caller, demand: Demand | None) -> Demand:
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
