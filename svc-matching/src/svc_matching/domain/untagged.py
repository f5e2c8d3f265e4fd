"""What the vocabulary has no word for: phrases of published texts that no concept covers."""

from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract
from svc_matching.domain.vocabularies import Language

MAX_TEXTS = 500
"""Texts of each kind that one report looks at, the newest first."""
SAMPLES = 5


class UntaggedPhrase(Contract):
    """Words that stand together in several texts, and in no concept's label there."""

    phrase: str
    language: Language
    texts: int = Field(description="Demands and supplies together.")
    demands: int
    supplies: int
    sample_ids: list[UUID] = Field(description=f"At most {SAMPLES} of them, the newest first.")


class UntaggedReport(Contract):
    """The most frequent phrases first; those inside a longer one of the same texts are left out."""

    items: list[UntaggedPhrase]
    texts_read: int
    version: str = Field(description="The version of the vocabulary that they were read with.")
