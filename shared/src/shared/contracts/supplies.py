"""A technology supply (nguồn cung công nghệ), as the API, the events and the tables know it."""

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
    Timestamp,
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
    Quantity,
    Sdg,
    TransferTerms,
    Translations,
    Trl,
)


class SupplyKind(StrEnum):
    """What is offered: công nghệ, thiết bị, dây chuyền, dịch vụ, mô hình."""

    TECHNOLOGY = "TECHNOLOGY"
    EQUIPMENT = "EQUIPMENT"
    LINE = "LINE"
    SERVICE = "SERVICE"
    MODEL = "MODEL"


class SupplyStatus(StrEnum):
    """Where a supply stands in its life cycle."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    UNDER_VALIDATION = "UNDER_VALIDATION"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    PUBLISHED = "PUBLISHED"
    ON_HOLD = "ON_HOLD"
    FLAGGED = "FLAGGED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    TRANSFERRED_EXCLUSIVELY = "TRANSFERRED_EXCLUSIVELY"
    ARCHIVED = "ARCHIVED"


class LegalList(StrEnum):
    """Standing under the lists of the Law on Technology Transfer (2017, amended 2025)."""

    NONE = "NONE"
    ENCOURAGED = "ENCOURAGED"
    RESTRICTED = "RESTRICTED"
    PROHIBITED = "PROHIBITED"


class Condition(StrEnum):
    NEW = "NEW"
    USED = "USED"


class IprType(StrEnum):
    PATENT = "PATENT"
    UTILITY = "UTILITY"
    DESIGN = "DESIGN"
    KNOW_HOW = "KNOW_HOW"
    COPYRIGHT = "COPYRIGHT"
    PLANT_VARIETY = "PLANT_VARIETY"
    TRADE_SECRET = "TRADE_SECRET"  # noqa: S105 - a kind of right, not a password
    NONE = "NONE"


class IprStatus(StrEnum):
    APPLIED = "APPLIED"
    GRANTED = "GRANTED"
    LAPSED = "LAPSED"


class Ipr(Contract):
    """One intellectual property right behind the supply."""

    type: IprType
    number: Line64 | None = None
    status: IprStatus | None = None
    country: CountryCode | None = None


class Benefit(Contract):
    """A measured advantage, e.g. energy −40 % against a coal-fired dryer."""

    metric: Line128
    change: float | None = Field(None, allow_inf_nan=False)
    unit: Line64 | None = None
    baseline: Line256 | None = None


class Installation(Contract):
    """Where it already runs."""

    country: CountryCode | None = None
    year: int | None = Field(None, ge=1900, le=2100)
    client: Line256 | None = None
    note: Text500 | None = None


class SourceKind(StrEnum):
    """How the supply came to Ketnoi."""

    OFFICE = "OFFICE"
    EXCHANGE = "EXCHANGE"
    DOMESTIC = "DOMESTIC"
    SELF = "SELF"
    FEED = "FEED"


class SupplySource(Contract):
    """Where the supply came from; `system` and `ref` are the sender's natural key."""

    kind: SourceKind = SourceKind.SELF
    system: Line64 | None = None
    ref: Line128 | None = None
    url: Line256 | None = None
    retrieved_at: Timestamp | None = None


class SupplyProfile(Contract):
    """What a supply says. A draft needs only its title."""

    title: Line256
    summary: Text500 | None = None
    description: Text8000 | None = None
    language: LanguageCode | None = None
    translations: Translations = Field(default_factory=dict, json_schema_extra=EMPTY_DICT)
    kind: SupplyKind | None = None
    specifications: list[Quantity] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=30
    )
    benefits: list[Benefit] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=20
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
    trl: Trl | None = None
    ipr: list[Ipr] = Field(default_factory=list, json_schema_extra=EMPTY_LIST, max_length=20)
    transfer: TransferTerms | None = None
    price: Money | None = None
    requires: AbsorptionLevels | None = None
    condition: Condition | None = None
    year_made: int | None = Field(None, ge=1900, le=2100)
    remaining_capacity_pct: float | None = Field(None, ge=0, le=100)
    legal_list: LegalList = LegalList.NONE
    country: CountryCode | None = None
    organization_id: UUID | None = None
    source: SupplySource | None = None
    capacity: int | None = Field(None, ge=1, le=1_000_000, description="Transfers at a time.")
    available_until: date | None = Field(None, description="The supply expires after this day.")
    demonstration: Text2000 | None = None
    references: list[Installation] = Field(
        default_factory=list, json_schema_extra=EMPTY_LIST, max_length=50
    )
    visibility: Visibility = Visibility.PUBLIC


class SupplyPatch(MergePatch, SupplyProfile):
    """Some fields of a supply: each given one replaces, null clears."""

    title: Line256 = Field(default_factory=str)


class SupplyUpsert(SupplyProfile):
    """A supply as the sender's own system has it; `status` is for operators."""

    status: SupplyStatus | None = None


class SupplyFilter(Contract):
    """Filters of a list, by field name; a repeated parameter means any of the values."""

    status: list[SupplyStatus] = []
    kind: list[SupplyKind] = []
    country: list[CountryCode] = []
    language: list[LanguageCode] = []
    fields: list[FieldCode] = []
    industries: list[IndustryCode] = []
    legal_list: list[LegalList] = []
    owner: Line64 | None = None
    visibility: Visibility | None = None
    source_kind: SourceKind | None = None
    source_system: Line64 | None = None


class Supply(SupplyProfile, ResourceFields):
    """A supply as its readers see it."""

    status: SupplyStatus


class SupplyState(Received, SupplyProfile, ResourceFields):
    """A supply as an event carries it."""

    model_config = Received.model_config
    status: SupplyStatus


class SupplyPage(Contract):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Supply]
    next_cursor: str | None = None
