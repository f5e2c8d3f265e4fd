"""A technology demand (nhu cầu công nghệ), as the API, the events and the tables know it."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import (
    EMPTY_DICT,
    EMPTY_LIST,
    Contract,
    Line64,
    Line128,
    Line256,
    MergePatch,
    Received,
    ResourceFields,
    Text500,
    Text2000,
    Text8000,
    Visibility,
)
from shared.contracts.values import (
    AbsorptionLevels,
    CountryCode,
    FieldCode,
    IndustryCode,
    IpcCode,
    Keywords,
    LanguageCode,
    Money,
    ProvinceCode,
    Quantity,
    Sdg,
    SourceRef,
    TransferTerms,
    Translations,
    Trl,
)


class DemandKind(StrEnum):
    """What is wanted: ứng dụng, cải tiến, chuyển giao, đổi mới sáng tạo."""

    APPLICATION = "APPLICATION"
    IMPROVEMENT = "IMPROVEMENT"
    TRANSFER = "TRANSFER"
    INNOVATION = "INNOVATION"


class EnterpriseSize(StrEnum):
    MICRO = "MICRO"
    SMALL = "SMALL"
    MEDIUM = "MEDIUM"
    LARGE = "LARGE"


class DemandStatus(StrEnum):
    """Where a demand stands in its life cycle; VERIFIED means «thực sự cần thiết»."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    VERIFIED = "VERIFIED"
    FORWARDED = "FORWARDED"
    PUBLISHED = "PUBLISHED"
    ON_HOLD = "ON_HOLD"
    FULFILLED = "FULFILLED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    ARCHIVED = "ARCHIVED"


class DemandProfile(Contract):
    """What a demand says. A draft needs only its title."""

    title: Line256
    summary: Text500 | None = None
    description: Text8000 | None = None
    language: LanguageCode | None = None
    translations: Translations = Field(default_factory=dict, json_schema_extra=EMPTY_DICT)
    kind: DemandKind | None = None
    current_technology: Text2000 | None = None
    expected_outcome: Text2000 | None = None
    requirements: list[Quantity] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=30
    )
    keywords: Keywords = Field(default_factory=list, json_schema_extra=EMPTY_LIST)
    fields: list[FieldCode] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=5
    )
    industries: list[IndustryCode] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=5
    )
    ipc: list[IpcCode] = Field(default_factory=list, json_schema_extra=EMPTY_LIST, max_length=5)
    sdgs: list[Sdg] = Field(default_factory=list, json_schema_extra=EMPTY_LIST, max_length=17)
    trl_min: Trl | None = None
    transfer: TransferTerms | None = None
    budget: Money | None = None
    preferred_countries: list[CountryCode] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=50
    )
    excluded_countries: list[CountryCode] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=50
    )
    accepts_used_equipment: bool | None = None
    needed_by: date | None = Field(None, description="The demand expires when this day is over.")
    absorption: AbsorptionLevels | None = None
    enterprise_size: EnterpriseSize | None = None
    province: ProvinceCode | None = None
    organization_id: UUID | None = None
    campaign_id: UUID | None = None
    priority_items: list[Line128] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=10
    )
    source_ref: SourceRef | None = None
    visibility: Visibility = Visibility.PUBLIC
    open_for_interest: bool = True


class DemandPatch(MergePatch, DemandProfile):
    """Some fields of a demand: each given one replaces, null clears."""

    title: Line256 = Field(default_factory=str)


class DemandUpsert(DemandProfile):
    """A demand as the sender's own system has it; `status` is for operators."""

    status: DemandStatus | None = None


class DemandFilter(Contract):
    """Filters of a list, by field name; a repeated parameter means any of the values."""

    status: list[DemandStatus] = []
    kind: list[DemandKind] = []
    province: list[ProvinceCode] = Field(
        default=[],
        description="GSO code; also finds what was recorded under a code merged into it.",
    )
    language: list[LanguageCode] = []
    fields: list[FieldCode] = []
    industries: list[IndustryCode] = []
    enterprise_size: list[EnterpriseSize] = []
    owner: Line64 | None = None
    visibility: Visibility | None = None
    open_for_interest: bool | None = None
    source_system: Line64 | None = None


class Demand(DemandProfile, ResourceFields):
    """A demand as its readers see it."""

    status: DemandStatus


class DemandState(Received, DemandProfile, ResourceFields):
    """A demand as an event carries it."""

    model_config = Received.model_config
    status: DemandStatus


class DemandPage(Contract):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Demand]
    next_cursor: str | None = None
