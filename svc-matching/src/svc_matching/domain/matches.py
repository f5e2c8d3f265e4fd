"""Who may read whose matches: the one place that every list, get and event asks.

A demand's matches belong to its owner, the DOST of its province and the operator. A supply's
owner sees the matches of demands that it may see. To anyone else there is nothing. A match that
has left its list stays readable, but shows nothing of a supply that its reader may not see now.
"""

from shared.contracts.base import Visibility
from shared.contracts.identity import Caller, Role
from shared.contracts.places import codes_of, same_province
from shared.kernel.errors import NotFoundError, not_found
from svc_matching.domain.items import LIVE, OPEN, Item


def _owns(caller: Caller, item: Item) -> bool:
    return bool(caller.tenant) and caller.tenant == item.owner


def may_read_as_demand_side(caller: Caller, demand: Item) -> bool:
    """Owner, DOST of the province as it is today, operator."""
    return (
        caller.is_operator
        or _owns(caller, demand)
        or (caller.role is Role.DOST and same_province(caller.province, demand.province))
    )


def may_read_as_supply_side(caller: Caller, supply: Item) -> bool:
    """The supply's owner and the operator; which demands they see is `is_visible_to`."""
    return caller.is_operator or _owns(caller, supply)


def may_see_supply(caller: Caller, supply: Item) -> bool:
    """Whether the caller may see what the supply says now, as svc-supply would show it."""
    if may_read_as_supply_side(caller, supply):
        return True
    return supply.status == LIVE and supply.visibility in visibilities_of(caller)


def visibilities_of(caller: Caller) -> frozenset[Visibility]:
    """Return the visibilities of other tenants' published things that this caller sees."""
    seen = {Visibility.PUBLIC, Visibility.PARTNERS} if caller.sees_partners else {Visibility.PUBLIC}
    return frozenset(seen)


def provinces_of(caller: Caller) -> frozenset[str]:
    """Return the provinces, under all their codes, whose demands this caller acts for."""
    if caller.role is not Role.DOST or caller.province is None:
        return frozenset()
    return frozenset(codes_of(caller.province))


def is_visible_to(caller: Caller, demand: Item) -> bool:
    """Whether the caller may see a match of its supply with this demand."""
    if may_read_as_demand_side(caller, demand):
        return True
    return demand.status == OPEN and demand.visibility in visibilities_of(caller)


def may_read_match(caller: Caller, demand: Item, supply: Item) -> bool:
    """Either side may read a match, the supply's side only of demands it may see."""
    if may_read_as_demand_side(caller, demand):
        return True
    return may_read_as_supply_side(caller, supply) and is_visible_to(caller, demand)


def require_demand_side(caller: Caller, demand: Item | None) -> Item:
    """Return the demand. `demand_unknown` lets the gateway ask whether it is merely too young."""
    if demand is None:
        raise unknown("demand_unknown", "demand", "nhu cầu")
    if not may_read_as_demand_side(caller, demand):
        raise not_found("demand", "nhu cầu")
    return demand


def require_supply_side(caller: Caller, supply: Item | None) -> Item:
    """Return the supply; see `require_demand_side`."""
    if supply is None:
        raise unknown("supply_unknown", "supply", "nguồn cung")
    if not may_read_as_supply_side(caller, supply):
        raise not_found("supply", "nguồn cung")
    return supply


def unknown(code: str, what_en: str, what_vi: str) -> NotFoundError:
    """This service has not heard of it; the gateway turns this into `not_found` or `pending`."""
    return NotFoundError(code, f"No such {what_en}.", f"Không tìm thấy {what_vi}.")
