"""What svc-matching reads from its environment."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.settings import MessagingSettings
from svc_matching.engine.weights import read_weights


def _usable(path: Path | None) -> Path | None:
    if path is not None:
        read_weights(path)
    return path


class Settings(MessagingSettings):
    """What only this service reads."""

    quiet_seconds: float = Field(
        1.0, ge=0, description="How long the input must pause before statistics are frozen anew."
    )
    weights_path: Annotated[Path | None, AfterValidator(_usable)] = Field(
        None, description="The weights file to rank by, instead of the one that ships."
    )
    capacity_prices: bool = Field(
        False, description="Lower supplies that lead more lists than they can serve."
    )
    usual_capacity: int = Field(
        5,
        ge=1,
        le=1_000_000,
        description="Transfers at a time of a supply that does not say; for capacity prices.",
    )
