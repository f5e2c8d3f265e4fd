"""What a list of matches would be: asked for with a text or an unsaved demand, never stored."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import Clean, Contract
from shared.contracts.demands import DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.matches import (
    BilingualText,
    Component,
    DiagnosisCode,
    DiagnosisRemedy,
    EngineVersion,
    Explanation,
    Gate,
    NearMiss,
    SupplyCard,
)
from shared.contracts.values import LanguageCode
from shared.kernel.errors import ForbiddenError, UnavailableError

MOST_MATCHES = 20
"""As many as a list of matches has."""
AT_ONCE = 8
"""Previews that may wait for the engine at a time: each takes a turn between two batches."""
SECONDS = 5.0
"""How long a preview may take, its turn included."""

PreviewText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=8000), Clean
]


class MatchPreviewIn(Contract):
    """A text, or a demand as it would be sent; one of the two."""

    text: PreviewText | None = Field(None, description="Read as a demand's description is.")
    language: LanguageCode | None = Field(
        None, description="Of `text`; a demand says its own. Recognised when it is missing."
    )
    demand: DemandProfile | None = None
    limit: int = Field(10, ge=1, le=MOST_MATCHES)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.text is None) == (self.demand is None):
            raise PydanticCustomError("preview_source", "give `text` or `demand`, one of the two")
        if self.demand is not None and self.language is not None:
            raise PydanticCustomError("preview_language", "`language` belongs to `text`")
        return self

    def profile(self) -> DemandProfile:
        """Return the demand to rank for; a text has no title, which a stored demand needs."""
        if self.demand is not None:
            return self.demand
        return DemandProfile.model_construct(
            title="", description=self.text, language=self.language
        )


class PreviewedMatch(Contract):
    """A match as the list would have it, without what only a stored demand has."""

    supply_id: UUID
    supply_version: int
    rank: int = Field(description="1 is best.")
    score: float = Field(ge=0, le=1, description="Six decimals.")
    confidence: float = Field(ge=0, le=1, description="The weight share of what is known.")
    supply: SupplyCard
    components: list[Component]
    gates: list[Gate]
    explanation: Explanation
    engine: EngineVersion


class MatchPreview(Contract):
    """The list and the diagnosis that the demand would get if it were published now."""

    items: list[PreviewedMatch]
    diagnosis: DiagnosisCode
    near_misses: list[NearMiss] = []
    remedies: list[DiagnosisRemedy] = []
    text: BilingualText
    stored: Literal[False] = Field(False, description="Nothing of a preview is kept.")


def require_partner(caller: Caller) -> None:
    """Lists hold supplies that are shown to partners, and so does their preview."""
    if not caller.sees_partners:
        raise ForbiddenError(
            "role_missing",
            "Previews are for partners: this role sees public data only.",
            "Chỉ đối tác mới xem trước được: vai trò này chỉ xem dữ liệu công khai.",
        )


def preview_refused(code: str, en: str, vi: str) -> UnavailableError:
    """A preview can always be asked for again: it changes nothing."""
    return UnavailableError(code, en, vi, headers={"Retry-After": "1"})
