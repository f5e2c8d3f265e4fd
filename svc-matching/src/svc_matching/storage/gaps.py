"""Diagnoses of published demands, counted where they lie."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, Text, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.base import Visibility
from shared.contracts.matches import DiagnosisCode, ReasonCode
from svc_matching.domain.gaps import Counted, GapGrouping, GapSelection
from svc_matching.domain.items import OPEN, ItemKind
from svc_matching.storage.items import seen_by
from svc_matching.storage.tables import demand_state, item

# The day changes in Vietnam, not in UTC.
_YEAR = cast(func.extract("year", func.timezone("Asia/Ho_Chi_Minh", item.c.published_at)), Integer)
_VALUES: dict[GapGrouping, ColumnElement[str]] = {
    GapGrouping.PROVINCE: item.c.province,
    GapGrouping.FIELD: item.c.field,
    GapGrouping.INDUSTRY: item.c.industry,
    GapGrouping.YEAR: cast(_YEAR, Text),
}


def _demands(selection: GapSelection) -> Select[*tuple[Any, ...]]:
    """Published demands with a diagnosis; `item_by_kind` finds them, and all of them count.

    A count reads each row that it counts. The index leaves those out that are closed or supplies,
    and there is none that could know what the caller sees.
    """
    demands = (
        select(
            *(value.label(by.value) for by, value in _VALUES.items()),
            demand_state.c.diagnosis,
            demand_state.c.reasons,
        )
        .join(demand_state, demand_state.c.demand_id == item.c.id)
        .where(
            item.c.kind == ItemKind.DEMAND,
            item.c.status == OPEN,
            demand_state.c.diagnosis.is_not(None),
        )
    )
    if selection.provinces is not None:
        demands = demands.where(item.c.province.in_(sorted(selection.provinces)))
    if selection.field is not None:
        first = _VALUES[GapGrouping.FIELD]
        demands = demands.where(
            (first == selection.field) | first.startswith(f"{selection.field}.")
        )
    if selection.industry is not None:
        demands = demands.where(_VALUES[GapGrouping.INDUSTRY] == selection.industry)
    if selection.year is not None:
        demands = demands.where(literal(selection.year) == _YEAR)
    return demands


async def count_diagnoses(
    connection: AsyncConnection,
    selection: GapSelection,
    groupings: Sequence[GapGrouping],
    visibilities: Iterable[Visibility] | None,
    owner: str,
    provinces: Iterable[str],
) -> list[Counted]:
    """Count by each grouping, diagnosis and reasons, all at one moment: it is one statement."""
    demands = _demands(selection)
    if visibilities is not None:
        demands = demands.where(seen_by(visibilities, owner, provinces))
    chosen = demands.cte("chosen")
    counted = union_all(
        *(
            select(
                literal(by.value),
                chosen.c[by.value],
                chosen.c.diagnosis,
                chosen.c.reasons,
                func.count(),
            ).group_by(chosen.c[by.value], chosen.c.diagnosis, chosen.c.reasons)
            for by in groupings
        )
    )
    return [
        Counted(
            GapGrouping(by), value, DiagnosisCode(code), tuple(map(ReasonCode, reasons)), demands
        )
        for by, value, code, reasons, demands in await connection.execute(counted)
    ]
