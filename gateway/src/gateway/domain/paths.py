"""Which service a path belongs to: the services' paths are the public paths."""

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """The services behind the gateway, as `missing` names them."""

    DEMAND = "demand"
    SUPPLY = "supply"
    MATCHING = "matching"
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes; `path` is the template that metrics are counted under."""

    part: Part
    path: str


OWNERS: dict[str, Part] = {
    "demands": Part.DEMAND,
    "campaigns": Part.DEMAND,
    "search-orders": Part.DEMAND,
    "supplies": Part.SUPPLY,
    "organizations": Part.SUPPLY,
    "experts": Part.SUPPLY,
    "programs": Part.SUPPLY,
    "feeds": Part.SUPPLY,
    "fairs": Part.SUPPLY,
    "matches": Part.MATCHING,
    "match-preview": Part.MATCHING,
    "matching": Part.MATCHING,
    "gaps": Part.MATCHING,
    "vocabularies": Part.MATCHING,
    "interests": Part.MATCHING,
    "connections": Part.MATCHING,
    "reporting": Part.REPORTING,
}

COMBINED = frozenset(
    {
        ("demands", "matches"),
        ("demands", "diagnosis"),
        ("demands", "overview"),
        ("supplies", "matches"),
    }
)
"""`/v1/<resource>/{id}/<tail>` that the gateway answers itself."""

_TEMPLATES = {
    resource: (
        Target(part, f"/v1/{resource}"),
        Target(part, f"/v1/{resource}/{{id}}"),
        Target(part, f"/v1/{resource}/{{id}}/*"),
    )
    for resource, part in OWNERS.items()
}
_TAIL_AT = 2


def target_of(path: str) -> Target | None:
    """Return where `path` goes; None when the gateway answers itself (or nobody does)."""
    if not path.startswith("/v1/"):
        return None
    resource, *rest = path[4:].split("/", 3)
    templates = _TEMPLATES.get(resource)
    if templates is None or (len(rest) == _TAIL_AT and (resource, rest[1]) in COMBINED):
        return None
    return templates[min(len(rest), _TAIL_AT)]
