"""Where demands find nothing, and why: diagnoses added up, without telling of single demands.

The diagnosis of a demand is its owner's, its DOST's and the operator's to read. So counts for
anybody else are made of at least three demands, and what is smaller goes under «others».
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.matches import DiagnosisCode, ReasonCode
from shared.contracts.places import PROVINCES

FEWEST = 3
"""A cell of fewer demands would tell of single ones."""
MOST_REASONS = 5


class GapGrouping(StrEnum):
    """What gaps are added up by: small letters, as the filters are called."""

    PROVINCE = "province"
    FIELD = "field"
    INDUSTRY = "industry"
    YEAR = "year"


@dataclass(frozen=True, slots=True, kw_only=True)
class GapSelection:
    """A cut through the published demands; None is no limit."""

    provinces: frozenset[str] | None = None
    field: str | None = None
    industry: str | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many demands of one value have this diagnosis for these reasons."""

    by: GapGrouping
    value: str | None
    diagnosis: DiagnosisCode
    reasons: tuple[ReasonCode, ...]
    demands: int


class GapDiagnosis(Contract):
    """How many demands have a diagnosis."""

    diagnosis: DiagnosisCode
    demands: int


class GapReason(Contract):
    """How many demands are kept from their supplies by this, among other things or alone."""

    code: ReasonCode
    demands: int


class GapCounts(Contract):
    """Demands by diagnosis; both lists are null where they would tell of single demands."""

    demands: int
    diagnoses: list[GapDiagnosis] | None = Field(description="Every diagnosis; they add up.")
    reasons: list[GapReason] | None = Field(description="The most frequent ones, at most five.")


class GapCell(GapCounts):
    """The demands of one province, field, industry or year."""

    value: str | None = Field(description="Null: the demand does not say, or these are others.")
    others: bool = Field(False, description="What is too small to stand alone.")


class GapGroup(Contract):
    """All demands of the selection by one property: the cells add up to the total."""

    by: GapGrouping
    cells: list[GapCell]


class Gaps(Contract):
    """What stands in the way of the published demands of a selection."""

    total: GapCounts
    groups: list[GapGroup]


@dataclass(slots=True)
class _Sum:
    demands: int = 0
    diagnoses: Counter[DiagnosisCode] = field(default_factory=Counter)
    reasons: Counter[ReasonCode] = field(default_factory=Counter)

    def add(self, row: Counted) -> None:
        self.demands += row.demands
        self.diagnoses[row.diagnosis] += row.demands
        for reason in row.reasons:
            self.reasons[reason] += row.demands

    def take(self, other: "_Sum") -> None:
        self.demands += other.demands
        self.diagnoses.update(other.diagnoses)
        self.reasons.update(other.reasons)

    def counts(self, fewest: int) -> dict[str, object]:
        if 0 < self.demands < fewest:
            return {"demands": self.demands, "diagnoses": None, "reasons": None}
        return {
            "demands": self.demands,
            "diagnoses": [
                GapDiagnosis(diagnosis=code, demands=self.diagnoses[code]) for code in DiagnosisCode
            ],
            "reasons": _most_frequent(self.reasons),
        }


def _most_frequent(reasons: Mapping[ReasonCode, int]) -> list[GapReason]:
    order = list(ReasonCode)
    found = sorted(reasons, key=lambda code: (-reasons[code], order.index(code)))
    return [GapReason(code=code, demands=reasons[code]) for code in found[:MOST_REASONS]]


def add_up(rows: Iterable[Counted], groupings: Iterable[GapGrouping], *, fewest: int) -> Gaps:
    """Return the total and its groups; cells of fewer than `fewest` demands are merged.

    Each grouping counts every demand once: under today's province, its first field and its first
    industry. So the cells of each add up to the total.
    """
    sums: dict[GapGrouping, dict[str | None, _Sum]] = {by: {} for by in groupings}
    for row in rows:
        sums[row.by].setdefault(_value_of(row), _Sum()).add(row)
    total = _Sum()
    for each in next(iter(sums.values())).values():
        total.take(each)
    return Gaps(
        total=GapCounts.model_validate(total.counts(fewest)),
        groups=[GapGroup(by=by, cells=_cells(found, fewest)) for by, found in sums.items()],
    )


def _value_of(row: Counted) -> str | None:
    if row.by is GapGrouping.PROVINCE and row.value in PROVINCES:
        return PROVINCES[row.value][1]
    return row.value


def _cells(sums: Mapping[str | None, _Sum], fewest: int) -> list[GapCell]:
    """Return the cells, largest first.

    One small cell alone would be what the total lacks, so others take the next smallest in until
    they are enough.
    """
    kept = sorted(sums.items(), key=lambda cell: (-cell[1].demands, cell[0] is None, cell[0] or ""))
    others = _Sum()
    while kept and (kept[-1][1].demands < fewest or 0 < others.demands < fewest):
        others.take(kept.pop()[1])
    cells = [
        GapCell.model_validate(found.counts(fewest) | {"value": value}) for value, found in kept
    ]
    if others.demands:
        merged = others.counts(fewest) | {"value": None, "others": True}
        cells.append(GapCell.model_validate(merged))
    return cells
