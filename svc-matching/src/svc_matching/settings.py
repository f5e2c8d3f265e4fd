"""What svc-matching reads from its environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, DirectoryPath, Field, HttpUrl, SecretStr, model_validator

from shared.settings import MessagingSettings
from svc_matching.engine.embedding import MOST_DIMENSIONS
from svc_matching.engine.weights import read_weights
from svc_matching.usecases.embeddings import TEXT_CHARACTERS


def _usable(path: Path | None) -> Path | None:
    if path is not None:
        read_weights(path)
    return path


class Settings(MessagingSettings):
    """What only this service reads.

    `embeddings_…` name an embedder: an address, or a folder with a model. Without either there is
    none, and nothing outside is ever asked.
    """

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
    embeddings_url: HttpUrl | None = Field(
        None, description="The whole address, as http://127.0.0.1:8090/v1/embeddings."
    )
    embeddings_model: str = Field("", max_length=200)
    embeddings_key: SecretStr = SecretStr("")
    embeddings_version: str = Field("1", min_length=1, max_length=50)
    embeddings_query_prefix: str = Field("", max_length=500)
    embeddings_passage_prefix: str = Field("", max_length=500)
    embeddings_timeout_seconds: float = Field(30.0, gt=0, le=600)
    embeddings_path: DirectoryPath | None = None
    embeddings_dimensions: int | None = Field(None, ge=8, le=MOST_DIMENSIONS)
    embeddings_text_characters: int = Field(TEXT_CHARACTERS, ge=100, le=20_000)

    @model_validator(mode="after")
    def _milvus_has_an_address(self) -> Self:
        if self.matching_candidates == "milvus" and not self.milvus_uri.get_secret_value():
            raise ValueError("KETNOI_MATCHING_CANDIDATES=milvus needs KETNOI_MILVUS_URI")
        return self

    @model_validator(mode="after")
    def _one_embedder(self) -> Self:
        if self.embeddings_url and self.embeddings_path:
            raise ValueError("set KETNOI_EMBEDDINGS_URL or KETNOI_EMBEDDINGS_PATH, not both")
        if (self.embeddings_url or self.embeddings_path) and self.embeddings_dimensions is None:
            raise ValueError("an embedder needs KETNOI_EMBEDDINGS_DIMENSIONS, its model's")
        if self.embeddings_url and not self.embeddings_model:
            raise ValueError("KETNOI_EMBEDDINGS_URL needs KETNOI_EMBEDDINGS_MODEL")
        return self
