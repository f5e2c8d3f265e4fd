"""What svc-matching reads from its environment."""

from typing import Self

from pydantic import DirectoryPath, Field, HttpUrl, SecretStr, model_validator

from shared.settings import MessagingSettings
from svc_matching.engine.embedding import MOST_DIMENSIONS
from svc_matching.usecases.embeddings import TEXT_CHARACTERS


class Settings(MessagingSettings):
    """`quiet_seconds`: how long the input must pause before the statistics are frozen anew.

    `embeddings_…` name an embedder: an address, or a folder with a model. Without either there is
    none, and nothing outside is ever asked.
    """

    quiet_seconds: float = Field(1.0, ge=0)
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
    def _one_embedder(self) -> Self:
        if self.embeddings_url and self.embeddings_path:
            raise ValueError("set KETNOI_EMBEDDINGS_URL or KETNOI_EMBEDDINGS_PATH, not both")
        if (self.embeddings_url or self.embeddings_path) and self.embeddings_dimensions is None:
            raise ValueError("an embedder needs KETNOI_EMBEDDINGS_DIMENSIONS, its model's")
        if self.embeddings_url and not self.embeddings_model:
            raise ValueError("KETNOI_EMBEDDINGS_URL needs KETNOI_EMBEDDINGS_MODEL")
        return self
