"""What svc-matching reads from its environment."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import MessagingSettings


class Settings(MessagingSettings):
    """`quiet_seconds`: how long the input must pause before the statistics are frozen anew.

    `matching_candidates` says who finds what a demand looks at: the index of this process, or
    Milvus at `milvus_uri` (`http://user:password@host:19530/database`).
    """

    quiet_seconds: float = Field(1.0, ge=0)
    matching_candidates: Literal["local", "milvus"] = "local"
    milvus_uri: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _milvus_has_an_address(self) -> Self:
        if self.matching_candidates == "milvus" and not self.milvus_uri.get_secret_value():
            raise ValueError("KETNOI_MATCHING_CANDIDATES=milvus needs KETNOI_MILVUS_URI")
        return self
