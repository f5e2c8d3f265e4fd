"""The dashboard (bảng điều khiển): every number with what it counts."""

from typing import Any

from pydantic import Field

from shared.contracts.base import Contract, Timestamp, Visibility
from shared.contracts.demands import DemandStatus
from shared.contracts.matches import DiagnosisCode
from shared.contracts.supplies import SupplyKind, SupplyStatus
from svc_reporting.domain.provinces import current_name_of, current_province, name_of


class AsOf(Contract):
    """The time of the newest event read of each kind; null when none has come yet."""

    demands: Timestamp | None
    supplies: Timestamp | None
    matches: Timestamp | None


class Place(Contract):
    """A province of today."""

    code: str = Field(description="GSO code.")
    name: str

    @classmethod
    def today(cls, code: str) -> "Place":
        """Return the province of today that `code`, retired or not, belongs to."""
        current = current_province(code)
        return cls(code=current, name=current_name_of(current))


class ProvinceEntry(Contract):
    """A province as the demand gives it. All three are null for demands without one."""

    code: str | None = Field(description="GSO code; a code retired on 2025-07-01 is kept.")
    name: str | None = Field(description="What the code stood for before 2025-07-01.")
    current: Place | None = Field(description="The province of today that it belongs to.")

    @classmethod
    def names(cls, code: str | None) -> dict[str, Any]:
        """Return the three fields for one code."""
        if code is None:
            return {"code": None, "name": None, "current": None}
        return {"code": code, "name": name_of(code), "current": Place.today(code)}


class ProvinceCount(ProvinceEntry):
    count: int


class FieldCount(Contract):
    """A thing with several fields counts once in each, so these may add up to more."""

    field: str | None = Field(description="FORD code as given; null: none given.")
    count: int


class MonthCount(Contract):
    month: str = Field(description="Calendar month in Vietnam (UTC+7).", examples=["2026-07"])
    count: int


class CountryCount(Contract):
    country: str | None = Field(description="ISO 3166-1 alpha-2; null: not given.")
    count: int


class DemandStatusCount(Contract):
    status: DemandStatus
    count: int


class SupplyStatusCount(Contract):
    status: SupplyStatus
    count: int


class SupplyKindCount(Contract):
    kind: SupplyKind | None = Field(description="Null: not given.")
    count: int


class DiagnosisCount(Contract):
    diagnosis: DiagnosisCode
    count: int


class ProvinceDiagnoses(ProvinceEntry):
    diagnoses: list[DiagnosisCount]


class Funnel(Contract):
    """From what was received to what is fulfilled, for the demands of the selection."""

    demands_received: int | None = Field(
        description="Demands ever submitted. Null for who may not count unpublished demands in"
        " the whole selection."
    )
    demands_published: int = Field(description="Demands ever published.")
    demands_with_matches: int = Field(description="Of these: whose list has ever held a match.")
    demands_matched: int = Field(description="Of these: whose newest diagnosis is MATCHED.")
    demands_fulfilled: int = Field(description="Of these: FULFILLED now.")
    supplies_published: int = Field(description="Supplies ever published.")
    matches: int = Field(description="Places in the newest lists of the published demands.")


class Pipeline(Contract):
    """Demands on their way, for those who may see them; by the month they arrived."""

    province: Place | None = Field(
        description="Set when only this one of the provinces asked for may be counted."
    )
    received: int = Field(description="Demands ever submitted, published ones included.")
    by_status: list[DemandStatusCount] = Field(description="Adds up to `received`.")


class DemandCounts(Contract):
    """The published demands of the selection."""

    by_province: list[ProvinceCount]
    by_field: list[FieldCount]
    by_month: list[MonthCount] = Field(description="By the month of first publication.")
    by_status: list[DemandStatusCount] = Field(description="Where they stand now.")


class SupplyCounts(Contract):
    """The published supplies of the selection."""

    by_country: list[CountryCount]
    by_field: list[FieldCount]
    by_month: list[MonthCount] = Field(description="By the month of first publication.")
    by_kind: list[SupplyKindCount]
    by_status: list[SupplyStatusCount] = Field(description="Where they stand now.")


class MatchCounts(Contract):
    """The places in the newest lists; each breakdown adds up to `funnel.matches`."""

    by_province: list[ProvinceCount] = Field(description="The demand's province.")
    by_country: list[CountryCount] = Field(description="The supply's country.")
    by_month: list[MonthCount] = Field(
        description="By the month in which the demand was first matched; may lie after the months"
        " asked for, which choose the demands."
    )


class DiagnosisCounts(Contract):
    """What stands in the way of the demands that are PUBLISHED now."""

    by_code: list[DiagnosisCount]
    by_province: list[ProvinceDiagnoses]
    pending: int = Field(description="PUBLISHED demands without a diagnosis yet.")


class Hours(Contract):
    """How long it took, over the demands where it has happened."""

    demands: int = Field(description="Demands behind these numbers.")
    median_hours: float | None = Field(description="Half of them took no longer.")
    p90_hours: float | None = Field(description="Nine of ten took no longer (interpolated).")


class ResponseTimes(Contract):
    """From a demand's first publication."""

    to_first_list: Hours = Field(description="Until it was first ranked, even if nothing fitted.")
    to_first_match: Hours = Field(description="Until its list first held a match.")


class Coverage(Contract):
    """How much of the open need the supplies can serve."""

    published: int = Field(description="Demands that are PUBLISHED now.")
    matched: int = Field(description="Of these: with the diagnosis MATCHED.")
    share: float | None = Field(description="matched / published; null when none is published.")


class Dashboard(Contract):
    """Counts only, never titles or owners.

    Only counts of published things are public. Counts of demands that are not published yet
    (`pipeline`, `funnel.demands_received`) are given to operator, reporter and ops, and to a DOST
    for its own province. Every number is counted from the newest state of each thing at one
    moment, so the breakdowns add up to the totals.
    """

    as_of: AsOf
    visibilities: list[Visibility] = Field(
        description="Published things of these visibilities are counted for this caller; a DOST"
        " counts all of its own province."
    )
    funnel: Funnel
    pipeline: Pipeline | None = Field(
        description="Null for who may not count unpublished demands in any province asked for."
    )
    demands: DemandCounts
    supplies: SupplyCounts
    matches: MatchCounts
    diagnoses: DiagnosisCounts
    response_times: ResponseTimes
    coverage: Coverage
