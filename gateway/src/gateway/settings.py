"""The gateway's environment."""

from pathlib import Path

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where the services are, how tokens are signed, how much a caller may ask."""

    signing_key_path: Path = Path("signing.jwk")
    demand_url: str = "http://127.0.0.1:8081"
    supply_url: str = "http://127.0.0.1:8082"
    matching_url: str = "http://127.0.0.1:8083"
    reporting_url: str = "http://127.0.0.1:8084"
    data_path: Path | None = Field(
        None, description="Where the servers on this machine keep their data, to watch the disk."
    )
    nats_monitor_url: str = Field("", description="nats-server's own health, where there is one.")
    token_seconds: int = Field(3600, ge=60, le=86_400)
    anonymous_per_minute: int = Field(600, ge=1, description="Per address, without a token.")
    known_per_minute: int = Field(60_000, ge=1, description="Per client, with a token.")
    connect_seconds: float = Field(1.0, gt=0)
    upstream_seconds: float = Field(10.0, gt=0, description="For one call that passes through.")
    part_seconds: float = Field(2.0, gt=0, description="For one part of a combined answer.")
    upstream_slots: int = Field(64, ge=1, description="Calls at a time to one service.")
    upstream_queue: int = Field(256, ge=0, description="Calls that may wait for a slot.")
