"""What svc-matching reads from its environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

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
    snapshot_folder: Path | None = Field(
        None, description="Where the index is kept for a short start; none: every start reads all."
    )
    matching_candidates: Literal["local", "milvus"] = Field(
        "local",
        description="Who finds what a demand looks at: the index of this process, or Milvus.",
    )
    milvus_uri: SecretStr = Field(
        SecretStr(""), description="`http://user:password@host:19530/database`."
    )

    @model_validator(mode="after")
    def _milvus_has_an_address(self) -> Self:
        if self.matching_candidates == "milvus" and not self.milvus_uri.get_secret_value():
            raise ValueError("KETNOI_MATCHING_CANDIDATES=milvus needs KETNOI_MILVUS_URI")
        return self
