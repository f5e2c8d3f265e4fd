"""The technology vocabulary as its readers and curators know it.

Concepts have the shape of SKOS (W3C, 2009). What ships with this version is the ground; what
curators have accepted lies on it, a whole concept at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Clean, Contract, Timestamp

LANGUAGES = ("vi", "en", "ko", "ja", "zh", "de")
TARGETS = ("en", "ko", "ja", "zh", "de")
"""What Vietnamese words are translated into."""
MAX_LABELS, MAX_LABEL, MAX_BROADER = 24, 80, 4

ConceptId = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", min_length=2, max_length=64)
]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_LABEL), Clean
]
Labels = Annotated[list[Label], Field(max_length=MAX_LABELS)]


class Language(StrEnum):
    """The languages that the vocabulary has labels in."""

    VI = "vi"
    EN = "en"
    KO = "ko"
    JA = "ja"
    ZH = "zh"
    DE = "de"


class Origin(StrEnum):
    """Whether a concept came with the software or from a curator."""

    SHIPPED = "SHIPPED"
    CURATED = "CURATED"


class ConceptStatus(StrEnum):
    """A DEPRECATED concept stays readable and is found in no text any more."""

    ACTIVE = "ACTIVE"
    DEPRECATED = "DEPRECATED"


@dataclass(frozen=True, slots=True)
class Concept:
    """What a technology is called, language by language, and what it is a kind or part of."""

    id: str
    sector: str
    broader: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    deprecated: bool = False

    def label(self, language: str) -> str:
        """Return the preferred label, in English where the language has none."""
        return next(iter(self.labels.get(language) or self.labels["en"]))


class TechnologyConcept(Contract):
    """A concept as the API shows it; the first label of a language is the preferred one."""

    id: str
    sector: str = Field(description="The id of the sector's root.")
    status: ConceptStatus
    origin: Origin
    version: str = Field(description="The version that gave the concept this form.")
    broader: list[str]
    narrower: list[str]
    labels: dict[Language, list[str]]


class ConceptPage(Contract):
    """Some concepts of the newest version."""

    items: list[TechnologyConcept]
    next_cursor: str | None = None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptSelection:
    """Which concepts are wanted; everything may be left out."""

    q: str | None = None
    language: Language | None = None
    sector: str | None = None
    broader: str | None = None
    origin: Origin | None = None
    status: ConceptStatus | None = None


class VocabularyVersion(Contract):
    """One version: the one before with one concept added or changed; revision 0 is what ships."""

    version: str
    revision: int
    concept_id: str | None = None
    proposal_id: UUID | None = None
    created_at: Timestamp | None = None


class VersionPage(Contract):
    """Versions, newest first."""

    items: list[VocabularyVersion]
    next_cursor: str | None = None
    version: str = Field(description="The newest version.")
    in_use: str = Field(description="The version that texts are read with in this index epoch.")
