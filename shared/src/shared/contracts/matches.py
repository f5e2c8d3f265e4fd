"""Matches (kết quả khớp nối) and diagnoses, as svc-matching shows and announces them."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Contract, Received, Timestamp
from shared.contracts.supplies import SupplyKind
from shared.contracts.values import Money


class MatchState(StrEnum):
    """PROPOSED by the engine; the sides move it; STALE once it has left the list."""

    PROPOSED = "PROPOSED"
    SHORTLISTED = "SHORTLISTED"
    ENGAGED = "ENGAGED"
    DISMISSED = "DISMISSED"
    STALE = "STALE"


class Family(StrEnum):
    """Is it about this need? Is it right? Can it be taken in? Can it serve so many?"""

    RELEVANCE = "RELEVANCE"
    SUITABILITY = "SUITABILITY"
    FEASIBILITY = "FEASIBILITY"
    MARKET = "MARKET"


class Component(Contract):
    """One summand of the score; contributions are millionths underneath and add up exactly."""

    name: str
    family: Family
    value: float = Field(ge=0, le=1)
    weight: float = Field(ge=0, le=1)
    contribution: float = Field(ge=-1, le=1, description="Below 0 for a capacity price only.")
    known: bool = Field(description="False: the data is missing and counts as a neutral 0.5.")


class Gate(Contract):
    """A condition that takes a pair out of the ranking when it fails."""

    name: str
    passed: bool


class MatchedConcept(Contract):
    """What met: the words of both sides and their share of the relevance."""

    concept: str
    demand_text: str
    supply_text: str
    share: float


class Remedy(Contract):
    """What could close a gap."""

    kind: str
    id: UUID | None = None
    detail: str | None = None


class Gap(Contract):
    """A resource that the demand's side lacks, and by how much."""

    code: str
    by: float | None = None
    unit: str | None = None
    remedies: list[Remedy] = []


class BilingualText(Contract):
    """The same sentence in Vietnamese and English."""

    vi: str
    en: str


class Explanation(Contract):
    """Why this supply stands where it stands, built from the numbers."""

    matched: list[MatchedConcept] = []
    strengths: list[BilingualText] = []
    gaps: list[Gap] = []
    text: BilingualText


class EngineVersion(Contract):
    """What computed the list."""

    weights_version: str
    vocabulary_version: str
    index_epoch: int


class SupplyCard(Contract):
    """svc-matching's own copy of what a list shows of a supply."""

    title: str
    summary: str | None = None
    language: str | None = None
    country: str | None = None
    kind: SupplyKind | None = None
    trl: int | None = None
    price: Money | None = None


class DemandCard(Contract):
    """svc-matching's own copy of what a list shows of a demand."""

    title: str
    summary: str | None = None
    language: str | None = None
    province: str | None = None
    kind: str | None = None
    budget: Money | None = None


class Match(Contract):
    """One supply's place in one demand's list."""

    id: UUID
    demand_id: UUID
    demand_version: int
    supply_id: UUID
    supply_version: int
    rank: int = Field(description="1 is best; 0 when the match has left the list (STALE).")
    score: float = Field(ge=0, le=1, description="Six decimals.")
    confidence: float = Field(ge=0, le=1, description="The weight share of what is known.")
    state: MatchState
    supply: SupplyCard | None = None
    demand: DemandCard | None = Field(None, description="Given when seen from the supply.")
    components: list[Component]
    gates: list[Gate]
    explanation: Explanation
    engine: EngineVersion
    created_at: Timestamp
    updated_at: Timestamp


class MatchPage(Contract):
    """A demand's list; `pending` until svc-matching has ranked it."""

    items: list[Match]
    pending: bool = False
    next_cursor: str | None = None


class DiagnosisCode(StrEnum):
    """MATCHED, or the report's triad «nơi cần không có, nơi có không đúng, không đủ nguồn lực»."""

    MATCHED = "MATCHED"
    NO_SUPPLY = "NO_SUPPLY"
    MISMATCH = "MISMATCH"
    NO_RESOURCES = "NO_RESOURCES"


class ReasonCode(StrEnum):
    """Why a relevant supply does not serve: gates first, resources last."""

    EXPIRED = "EXPIRED"
    ON_HOLD = "ON_HOLD"
    LEGAL_RESTRICTED = "LEGAL_RESTRICTED"
    EXCLUDED_COUNTRY = "EXCLUDED_COUNTRY"
    USED_NOT_ACCEPTED = "USED_NOT_ACCEPTED"
    USED_TOO_OLD = "USED_TOO_OLD"
    TRL_LOW = "TRL_LOW"
    RIGHT_MISMATCH = "RIGHT_MISMATCH"
    EXCLUSIVITY_MISMATCH = "EXCLUSIVITY_MISMATCH"
    SCOPE_MISMATCH = "SCOPE_MISMATCH"
    SPEC_FAILS = "SPEC_FAILS"
    BUDGET_SHORT = "BUDGET_SHORT"
    ABSORPTION_SHORT = "ABSORPTION_SHORT"


class Reason(Contract):
    """One blocking reason with both sides' figures."""

    code: ReasonCode
    have: str | None = None
    need: str | None = None
    by: float | None = None


class NearMiss(Contract):
    """A relevant supply that is kept out or blocked, and why."""

    supply_id: UUID
    relevance: float
    reasons: list[Reason]


class DiagnosisRemedy(Contract):
    """A way out, for the reason it answers."""

    kind: str
    id: UUID | None = None
    detail: str | None = None
    for_: str = Field(alias="for", serialization_alias="for")


class Diagnosis(Contract):
    """What stands in the way of a demand, or that nothing does."""

    demand_id: UUID
    diagnosis: DiagnosisCode | None
    pending: bool = False
    demand_version: int | None
    near_misses: list[NearMiss] = []
    remedies: list[DiagnosisRemedy] = []
    text: BilingualText | None = None


class ListEntry(Received):
    """A place in a list, as the event carries it: enough to count and to follow up."""

    match_id: UUID
    supply_id: UUID
    supply_version: int
    rank: int
    score: float


class MatchList(Received):
    """Body of `matching.list.updated.v1`: a demand's whole list."""

    id: UUID = Field(description="The demand's id.")
    version: int = Field(description="Grows with each change of the list.")
    demand_version: int
    status: str = "UPDATED"
    index_epoch: int
    province: str | None = None
    field: str | None = None
    items: list[ListEntry]
    updated_at: Timestamp


class DiagnosisState(Received):
    """Body of `matching.diagnosis.changed.v1`."""

    id: UUID = Field(description="The demand's id.")
    version: int
    demand_version: int
    diagnosis: DiagnosisCode
    reasons: list[ReasonCode] = []
    updated_at: Timestamp
