"""Addresses of servers: an administrator's turned into a service's own."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ketnoi.services import Service

DATABASE = "ketnoi"


def async_url(admin_url: str) -> str:
    """Return the administrator's address of our database, as SQLAlchemy with asyncpg reads it."""
    return _database_url(admin_url, user=None)


def service_url(admin_url: str, service: Service, passwords: Mapping[str, str]) -> str:
    """Return the address with the service's role in place of the administrator's."""
    return _database_url(admin_url, user=(service.role, passwords[service.role]))


def nats_user_url(admin_url: str, service: Service, passwords: Mapping[str, str]) -> str:
    """Return the NATS address with the service's user in place of the administrator's."""
    parts = urlsplit(admin_url)
    return urlunsplit(parts._replace(netloc=_netloc(parts.netloc, service.role, passwords)))


def _database_url(admin_url: str, user: tuple[str, str] | None) -> str:
    parts = urlsplit(admin_url)
    netloc = parts.netloc
    if user:
        netloc = _netloc(netloc, user[0], dict([user]))
    # libpq says sslmode, asyncpg says ssl; the values are the same.
    query = [("ssl" if key == "sslmode" else key, value) for key, value in parse_qsl(parts.query)]
    return urlunsplit(("postgresql+asyncpg", netloc, f"/{DATABASE}", urlencode(query), ""))


def _netloc(netloc: str, user: str, passwords: Mapping[str, str]) -> str:
    return f"{user}:{quote(passwords[user], safe='')}@{netloc.rpartition('@')[2]}"
