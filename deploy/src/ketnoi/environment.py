"""What the operator chose: the launcher's own environment variables, read once and checked."""

import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ketnoi.errors import UsageError
from ketnoi.services import SERVICES
from shared.kernel import faults

PREFIX = "KETNOI_"
LARGEST_PORT = 65_535
PASSED_ON = {
    "svc-matching": (
        "KETNOI_WEIGHTS_PATH",
        "KETNOI_CAPACITY_PRICES",
        "KETNOI_USUAL_CAPACITY",
        "KETNOI_EMBEDDINGS_URL",
        "KETNOI_EMBEDDINGS_MODEL",
        "KETNOI_EMBEDDINGS_KEY",
        "KETNOI_EMBEDDINGS_VERSION",
        "KETNOI_EMBEDDINGS_QUERY_PREFIX",
        "KETNOI_EMBEDDINGS_PASSAGE_PREFIX",
        "KETNOI_EMBEDDINGS_TIMEOUT_SECONDS",
        "KETNOI_EMBEDDINGS_PATH",
        "KETNOI_EMBEDDINGS_DIMENSIONS",
        "KETNOI_EMBEDDINGS_TEXT_CHARACTERS",
    ),
}
"""What an operator sets for one service; the service itself checks it."""

KNOWN = (
    "KETNOI_HOME",
    "KETNOI_PORT",
    "KETNOI_HOST",
    "KETNOI_LOG_LEVEL",
    *(name for names in PASSED_ON.values() for name in names),
    faults.VARIABLE,
)
SERVER_URLS = ("DATABASE_URL", "NATS_URL", "MILVUS_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`port` 0 means any free one; a missing URL means the embedded server, or no Milvus.

    `passed_on` holds by service what only that service reads.
    `crash_at` is for tests: the service that ends once, at its first start, and the point.
    """

    home: Path
    host: str
    port: int
    log_level: str
    database_url: str | None
    nats_url: str | None
    milvus_url: str | None = None
    inherited: Mapping[str, str]
    passed_on: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    crash_at: tuple[str, str] | None = None

    @classmethod
    def read(cls, variables: Mapping[str, str], cwd: Path) -> "Environment":
        """Refuse what is unknown or unusable; a misspelt name must not pass in silence."""
        _refuse_unknown(variables)
        return cls(
            home=_home(variables.get("KETNOI_HOME") or ".ketnoi", cwd),
            host=variables.get("KETNOI_HOST") or "127.0.0.1",
            port=_port(variables.get("KETNOI_PORT") or "8080"),
            log_level=_log_level(variables.get("KETNOI_LOG_LEVEL") or "info"),
            database_url=_url(variables, "DATABASE_URL", ("postgresql", "postgres")),
            nats_url=_url(variables, "NATS_URL", ("nats", "tls")),
            milvus_url=_url(variables, "MILVUS_URL", ("http", "https")),
            inherited=without_ours(variables),
            passed_on=_passed_on(variables, cwd),
            crash_at=_crash(variables.get(faults.VARIABLE)),
        )


def without_ours(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what a child may inherit: none of our keys, no server's password."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith(PREFIX) and name not in SERVER_URLS
    }


def _passed_on(variables: Mapping[str, str], cwd: Path) -> dict[str, dict[str, str]]:
    """Return what each service is told, with paths that mean the same wherever it runs."""
    return {
        service: {
            name: str(cwd / value) if name.endswith("_PATH") else value
            for name in names
            if (value := variables.get(name))
        }
        for service, names in PASSED_ON.items()
    }


def _refuse_unknown(variables: Mapping[str, str]) -> None:
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in KNOWN:
            known = [word.removeprefix(PREFIX) for word in KNOWN]
            close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            hint = (
                f"did you mean {PREFIX}{close[0]}?" if close else f"known are {', '.join(KNOWN)}."
            )
            raise UsageError(f"Unknown environment variable {name}: {hint}")


def _home(text: str, cwd: Path) -> Path:
    try:
        return (cwd / Path(text).expanduser()).resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"KETNOI_HOME={text!r} is not a usable path: {error}") from error


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_PORT):
        raise UsageError(f"KETNOI_PORT must be a number from 0 to {LARGEST_PORT}, not {text!r}.")
    return int(text)


def _log_level(text: str) -> str:
    if text.upper() not in logging.getLevelNamesMapping():
        raise UsageError(f"KETNOI_LOG_LEVEL must be debug, info, warning or error, not {text!r}.")
    return text.lower()


def _crash(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    service, _, order = text.partition(":")
    names = [known.name for known in SERVICES]
    try:
        if service not in names or not order:
            raise ValueError(f"it is <service>:<point>; services are {', '.join(names)}")
        return service, faults.checked(order)
    except ValueError as error:
        raise UsageError(f"{faults.VARIABLE}={text!r}: {error}.") from error


def _url(variables: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    url = variables.get(name)
    if url and url.partition("://")[0] not in schemes:
        raise UsageError(f"{name} must begin with {' or '.join(f'{s}://' for s in schemes)}.")
    return url or None
