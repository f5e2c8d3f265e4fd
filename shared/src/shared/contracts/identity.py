"""Who calls: roles, scopes and the caller that every policy function looks at."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """The role of a client; `ANONYMOUS` is a call without a token."""

    OPERATOR = "operator"
    DOST = "dost"
    OFFICE = "office"
    ENTERPRISE = "enterprise"
    PROVIDER = "provider"
    EXCHANGE = "exchange"
    INTERMEDIARY = "intermediary"
    REPORTER = "reporter"
    OPS = "ops"
    READER = "reader"
    ANONYMOUS = "anonymous"


class Scope(StrEnum):
    """What kind of thing a client may do; the policy says with which rows."""

    DEMANDS_WRITE = "demands:write"
    SUPPLIES_WRITE = "supplies:write"
    MATCHES_READ = "matches:read"
    IMPORTS_WRITE = "imports:write"
    REPORTING_READ = "reporting:read"
    VOCABULARIES_PROPOSE = "vocabularies:propose"
    VOCABULARIES_CURATE = "vocabularies:curate"


PARTNER_ROLES = frozenset(Role) - {Role.READER, Role.ANONYMOUS}
"""Roles that see things of visibility PARTNERS."""

_BETWEEN = frozenset({Scope.MATCHES_READ, Scope.VOCABULARIES_PROPOSE})
_DEMAND_SIDE = _BETWEEN | {Scope.DEMANDS_WRITE, Scope.IMPORTS_WRITE}
_SUPPLY_SIDE = _BETWEEN | {Scope.SUPPLIES_WRITE, Scope.IMPORTS_WRITE}

ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    Role.OPERATOR: frozenset(Scope),
    Role.DOST: _DEMAND_SIDE | {Scope.REPORTING_READ},
    Role.OFFICE: _SUPPLY_SIDE | {Scope.REPORTING_READ},
    Role.ENTERPRISE: _DEMAND_SIDE | {Scope.SUPPLIES_WRITE},
    Role.PROVIDER: _SUPPLY_SIDE,
    Role.EXCHANGE: _SUPPLY_SIDE,
    Role.INTERMEDIARY: _BETWEEN,
    Role.REPORTER: frozenset({Scope.REPORTING_READ}),
    Role.OPS: frozenset({Scope.REPORTING_READ}),
    Role.READER: frozenset({Scope.REPORTING_READ}),
    Role.ANONYMOUS: frozenset({Scope.REPORTING_READ}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent the request, as the verified token says."""

    client_id: str = "anonymous"
    role: Role = Role.ANONYMOUS
    tenant: str = ""
    scopes: frozenset[str] = field(default=ROLE_SCOPES[Role.ANONYMOUS])
    province: str | None = None
    countries: tuple[str, ...] = ()

    @property
    def is_operator(self) -> bool:
        return self.role is Role.OPERATOR

    @property
    def sees_partners(self) -> bool:
        return self.role in PARTNER_ROLES


SYSTEM = Caller(client_id="system", role=Role.OPS, tenant="system", scopes=frozenset())
"""The suite itself: expiry, signed contracts."""
