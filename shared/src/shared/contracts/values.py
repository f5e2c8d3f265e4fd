"""Values that demands and supplies share."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import (
    EMPTY_LIST,
    Clean,
    Contract,
    Line64,
    Line128,
    Line256,
    Text500,
    Text8000,
)
from shared.contracts.places import COUNTRIES, CURRENCIES, PROVINCES

MAX_MONEY = 10**18
"""Whole currency units; fits a signed 64-bit integer and any sum the country will write down."""


def _known(codes: frozenset[str] | dict[str, object], code: str, source: str) -> AfterValidator:
    def check(value: str) -> str:
        if value not in codes:
            raise PydanticCustomError(code, "'{value}' is not in " + source, {"value": value})
        return value

    return AfterValidator(check)


CountryCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{2}$"),
    _known(COUNTRIES, "unknown_country", "ISO 3166-1 alpha-2"),
]
ProvinceCode = Annotated[
    str,
    StringConstraints(pattern=r"^\d{2}$"),
    _known(dict(PROVINCES), "unknown_province", "the GSO list of provinces"),
    Field(description="GSO code; a code retired on 2025-07-01 is accepted and kept."),
]
CurrencyCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    _known(CURRENCIES, "unknown_currency", "ISO 4217"),
]
LanguageCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,3}$"), Field(description="ISO 639 code, e.g. `vi`.")
]
FieldCode = Annotated[
    str, StringConstraints(pattern=r"^[1-6](\.\d{1,2})?$"), Field(description="FORD, e.g. `2.11`.")
]
IndustryCode = Annotated[
    str, StringConstraints(pattern=r"^\d{4}$"), Field(description="ISIC Rev.4 class.")
]
IpcCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-H](\d{2}([A-Z]( ?\d{1,4}(/\d{2,6})?)?)?)?$"),
    Field(description="International Patent Classification, e.g. `F26B 23/00`."),
]
Sdg = Annotated[int, Field(ge=1, le=17)]
Level = Annotated[int, Field(ge=1, le=5)]
Trl = Annotated[int, Field(ge=1, le=9)]


class MoneyQualifier(StrEnum):
    """How exact an amount is («khoảng», «hơn», «dưới»)."""

    EXACT = "EXACT"
    ABOUT = "ABOUT"
    AT_LEAST = "AT_LEAST"
    UNDER = "UNDER"


class Money(Contract):
    """A range of money in whole currency units; `min` or `max` may be missing, not both."""

    min: int | None = Field(None, ge=0, le=MAX_MONEY)
    max: int | None = Field(None, ge=0, le=MAX_MONEY)
    currency: CurrencyCode
    qualifier: MoneyQualifier = MoneyQualifier.EXACT

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("money_empty", "give `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("money_order", "`min` is above `max`")
        return self


class Quantity(Contract):
    """A measured property, e.g. «công suất» 500 kg/h. `must`: a pair that misses it is refused."""

    name: Line128
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    unit: Annotated[str, StringConstraints(strip_whitespace=True, max_length=32), Clean] = ""
    must: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is None and self.max is None:
            raise PydanticCustomError("quantity_empty", "give `min`, `max` or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("quantity_order", "`min` is above `max`")
        return self


class Translation(Contract):
    """The same text in another language; the original is never overwritten."""

    title: Line256 | None = None
    summary: Text500 | None = None
    description: Text8000 | None = None


class TransferScope(StrEnum):
    """«từng phần hay toàn bộ công nghệ»."""

    WHOLE = "WHOLE"
    PARTIAL = "PARTIAL"
    EITHER = "EITHER"


class TransferPart(StrEnum):
    KNOW_HOW = "KNOW_HOW"
    PROCESS = "PROCESS"
    SOLUTION = "SOLUTION"
    FORMULA = "FORMULA"
    SOFTWARE = "SOFTWARE"
    DATA = "DATA"
    DRAWINGS = "DRAWINGS"
    EQUIPMENT = "EQUIPMENT"


class TransferRight(StrEnum):
    OWNERSHIP = "OWNERSHIP"
    USE = "USE"
    EITHER = "EITHER"


class Exclusivity(StrEnum):
    EXCLUSIVE = "EXCLUSIVE"
    NON_EXCLUSIVE = "NON_EXCLUSIVE"
    EITHER = "EITHER"


class TransferForm(StrEnum):
    INDEPENDENT = "INDEPENDENT"
    INVESTMENT_PROJECT = "INVESTMENT_PROJECT"
    CAPITAL_CONTRIBUTION = "CAPITAL_CONTRIBUTION"
    FRANCHISE = "FRANCHISE"
    IP_TRANSFER = "IP_TRANSFER"
    MACHINERY_PURCHASE = "MACHINERY_PURCHASE"
    JOINT_RND = "JOINT_RND"
    OTHER = "OTHER"


class TransferMethod(StrEnum):
    DOCUMENTS = "DOCUMENTS"
    TRAINING = "TRAINING"
    EXPERTS = "EXPERTS"
    EQUIPMENT = "EQUIPMENT"


class TransferTerms(Contract):
    """The terms of the transfer; a missing term is silent and never clashes."""

    scope: TransferScope | None = None
    parts: list[TransferPart] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=8
    )
    right: TransferRight | None = None
    exclusivity: Exclusivity | None = None
    forms: list[TransferForm] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=8
    )
    methods: list[TransferMethod] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=4
    )


class AbsorptionLevels(Contract):
    """Năng lực hấp thụ: 1 (none) to 5 (strong) for each capability; missing = unknown."""

    workforce: Level | None = None
    skills: Level | None = None
    infrastructure: Level | None = None
    capital: Level | None = None
    management: Level | None = None
    rnd: Level | None = None


class SourceRef(Contract):
    """The sender's natural key, unique within the tenant."""

    system: Line64
    ref: Line128


Translations = Annotated[dict[LanguageCode, Translation], Field(max_length=10)]
Keywords = Annotated[list[Line64], Field(max_length=10)]
