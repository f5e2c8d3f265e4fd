"""What every service imports, imported once: a fork then costs almost no time and memory."""

import importlib
from collections.abc import Sequence

COMMON = (
    "fastapi",
    "uvicorn",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.lifespan.on",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "asyncpg",
    "pydantic",
    "pydantic_settings",
    "nats",
    "structlog",
    "joserfc.jwt",
    "prometheus_client",
    "uvloop",
    "httptools",
    "shared.contracts.demands",
    "shared.contracts.supplies",
    "shared.contracts.events",
    "shared.contracts.messaging",
    "shared.settings",
    "shared.telemetry",
    "shared.db",
    "shared.nats",
    "shared.outbox",
    "shared.http",
    "shared.http.serve",
    "svc_matching.engine.choosing",
    "svc_matching.engine.close_look",
    "svc_matching.engine.kernels",
)


def preload(names: Sequence[str]) -> list[str]:
    """Import what there is; return what there is not, since a service will say so itself."""
    missing = []
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return missing
