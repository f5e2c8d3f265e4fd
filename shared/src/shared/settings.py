"""Environment variables, read once, frozen; a misspelt KETNOI_ name is refused at the start."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kernel import faults

PREFIX = "KETNOI_"


class UnknownSettingError(ValueError):
    """An environment variable starts with KETNOI_ and names no setting."""


class ServiceSettings(BaseSettings):
    """What every HTTP service needs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    listen_host: str = "127.0.0.1"
    listen_port: int = 0
    log_level: str = "INFO"
    jwks_path: Path = Path("jwks.json")
    cursor_key: SecretStr = SecretStr("")
    database_url: SecretStr = SecretStr("")
    database_pool_size: int = Field(7, ge=1, le=50)
    drain_seconds: float = Field(
        0.25,
        ge=0,
        le=10,
        description="From 'not ready' until connections are closed; 3 behind a load balancer.",
    )
    crash_at: Annotated[str, AfterValidator(faults.checked)] = Field(
        "", description="For tests alone: the crash point at which the process ends."
    )

    @classmethod
    def load(cls) -> Self:
        """Read the environment; UnknownSettingError names what is misspelt."""
        known = {PREFIX + name.upper() for name in cls.model_fields}
        for name in os.environ:
            if name.startswith(PREFIX) and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise UnknownSettingError(f"unknown setting {name}{hint}")
        return cls()


class MessagingSettings(ServiceSettings):
    """What a service with events needs beside that."""

    nats_url: SecretStr = SecretStr("")
    run_worker: bool = Field(
        True, description="Relay and consumers in the HTTP process; off when worker.py runs them."
    )
