"""What a provisioning run is told; apart, since the launcher plans and another process does it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ketnoi.services import Service

UNFORESEEN = 70
"""Exit code of a run that failed in a way that has no message of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Plain values, so that it can be handed to another process."""

    database_url: str
    nats_url: str
    passwords: Mapping[str, str]
    nats_passwords: Mapping[str, str]
    services: tuple[Service, ...]
    clients: Sequence[Mapping[str, Any]] = ()
    own_database: bool = False
    own_nats: bool = False
    nats_users_file: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Plan":
        services = tuple(Service(**service) for service in values.pop("services"))
        return cls(**values, services=services)
