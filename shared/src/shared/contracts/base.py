"""The ground every contract model stands on: strict about keys, safe about text."""

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar
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
from pydantic.config import JsonDict

from shared.kernel.text import clean


def _clean(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


# Stands last in an annotation: Pydantic then checks lengths natively, after trimming.
Clean = BeforeValidator(_clean)
"""Text in NFC; NUL and lone surrogates are refused."""


def _utc(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[AwareDatetime, PlainSerializer(_utc, return_type=str, when_used="json")]
"""RFC 3339 with an offset, given back in UTC with milliseconds."""

Line64 = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), Clean
]
Line128 = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128), Clean
]
Line256 = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256), Clean
]
Text500 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Clean]
Text2000 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), Clean]
Text8000 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8000), Clean]


# A default that can change is copied for every value; a factory costs a tenth of that. The
# documents say what they said before.
EMPTY_LIST: JsonDict = {"default": []}
EMPTY_DICT: JsonDict = {"default": {}}


Model = TypeVar("Model", bound=BaseModel)


def assemble(model: type[Model], values: dict[str, Any]) -> Model:
    """Make a model of values that were validated before; all fields must be given.

    `model_construct` does the same with a walk over defaults and aliases, at ten times the cost.
    """
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", _names_of(model))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


@cache
def _names_of(model: type[BaseModel]) -> set[str]:
    """One set for all: what is assembled is frozen, and a copy of it gets a set of its own."""
    return set(model.model_fields)


def to_document(resource: BaseModel) -> bytes:
    """Return the resource as the API and the events show it."""
    return resource.__pydantic_serializer__.to_json(resource, by_alias=True)


def digest_of(profile: BaseModel, *, without: set[str] | None = None) -> bytes:
    """Return a fingerprint of what `profile` says, the fields in `without` left out.

    What is silent or at its default does not count, so a contract that grows changes no digest.
    """
    said = profile.__pydantic_serializer__.to_json(profile, exclude=without, exclude_defaults=True)
    return hashlib.blake2b(said, digest_size=16).digest()


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
