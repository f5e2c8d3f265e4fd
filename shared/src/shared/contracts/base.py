"""The ground every contract model stands on: strict about keys, safe about text."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    model_validator,
)

from shared.kernel.text import clean


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


CleanStr = Annotated[str, BeforeValidator(_clean)]
"""Text in NFC; NUL and lone surrogates are refused."""


def _utc(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[AwareDatetime, PlainSerializer(_utc, return_type=str, when_used="json")]
"""RFC 3339 with an offset, given back in UTC with milliseconds."""

Line64 = Annotated[CleanStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Line128 = Annotated[
    CleanStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)
]
Line256 = Annotated[
    CleanStr, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)
]
Text500 = Annotated[CleanStr, StringConstraints(strip_whitespace=True, max_length=500)]
Text2000 = Annotated[CleanStr, StringConstraints(strip_whitespace=True, max_length=2000)]
Text8000 = Annotated[CleanStr, StringConstraints(strip_whitespace=True, max_length=8000)]


class Contract(BaseModel):
    """A value of the public contract: unknown keys are refused, so a misspelt field is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MergePatch(BaseModel):
    """Mixed into a profile: the given fields replace, and null puts a field back to its default.

    `model_fields_set` says what was given. Null for a required field stays null and is refused.
    """

    @model_validator(mode="before")
    @classmethod
    def _null_clears(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {
            name: cls.model_fields[name].get_default(call_default_factory=True)
            if value is None and name in cls.model_fields and name not in cls.required_after
            else value
            for name, value in given.items()
        }

    required_after: ClassVar[frozenset[str]] = frozenset({"title"})
    """Fields without which the patched resource would not be one."""


class Received(BaseModel):
    """A value read from another service: unknown keys are ignored, so contracts can grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Visibility(StrEnum):
    """Who may see a thing once it is PUBLISHED."""

    PRIVATE = "PRIVATE"
    PARTNERS = "PARTNERS"
    PUBLIC = "PUBLIC"


class ResourceFields(BaseModel):
    """What every resource has beside its own content."""

    id: UUID
    version: int = Field(ge=1)
    created_at: Timestamp
    updated_at: Timestamp
    owner: str = Field(description="The tenant that may change it.")
