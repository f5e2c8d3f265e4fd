"""A registered client of the API and the claims its tokens carry."""

from dataclasses import dataclass
from typing import Any

from shared.contracts.identity import ROLE_SCOPES, Role


class UnknownScopeError(ValueError):
    """A scope was asked for that the client's role does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who may get a token, and what the token says."""

    client_id: str
    role: Role
    tenant: str
    province: str | None = None
    countries: tuple[str, ...] = ()

    def scopes(self, requested: str | None) -> list[str]:
        """Return the role's scopes, or the part of them that was asked for."""
        allowed = {str(scope) for scope in ROLE_SCOPES[self.role]}
        wanted = set((requested or "").split()) or allowed
        if not wanted <= allowed:
            raise UnknownScopeError(" ".join(sorted(wanted - allowed)))
        return sorted(wanted)

    def claims(self, scope: str, issued_at: int, seconds: int) -> dict[str, Any]:
        """Return the claims of contract.md «Identity», without issuer and audience."""
        claims: dict[str, Any] = {
            "sub": self.client_id,
            "iat": issued_at,
            "exp": issued_at + seconds,
            "scope": scope,
            "role": str(self.role),
            "tenant": self.tenant,
        }
        if self.province:
            claims["province"] = self.province
        if self.countries:
            claims["countries"] = list(self.countries)
        return claims
