"""Where the published demands find nothing, and why."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.places import codes_of
from shared.contracts.values import FieldCode, IndustryCode, ProvinceCode
from svc_matching.api.connections import MatchReader, Reading
from svc_matching.domain.gaps import GapGrouping, Gaps, GapSelection
from svc_matching.usecases.gaps import show_gaps

router = APIRouter(prefix="/v1", tags=["matches"])


class GapQuery(Contract):
    """A cut through the published demands; everything may be left out."""

    province: ProvinceCode | None = Field(
        None,
        description="Demands of this province of today, under any of the codes of its parts; a code"
        " retired on 2025-07-01 means the same province.",
    )
    field: FieldCode | None = Field(
        None, description="FORD code of a demand's first field; `2` includes `2.11`."
    )
    industry: IndustryCode | None = Field(
        None, description="ISIC Rev.4 class of a demand's first industry."
    )
    year: int | None = Field(
        None, ge=2000, le=2099, description="Of the first publication, Vietnam time."
    )
    group_by: GapGrouping | None = Field(
        None, description="Only this grouping; without it there are all four."
    )

    def selection(self) -> GapSelection:
        return GapSelection(
            provinces=frozenset(codes_of(self.province)) if self.province else None,
            field=self.field,
            industry=self.industry,
            year=self.year,
        )


@router.get("/gaps", summary="Khoảng trống cung - cầu công nghệ · Gaps between demand and supply")
async def get_gaps(
    query: Annotated[GapQuery, Query()], caller: MatchReader, connection: Reading
) -> Gaps:
    """Cộng các chẩn đoán của nhu cầu đang công bố theo tỉnh, lĩnh vực, ngành và năm.

    Counts of the diagnoses of published demands with the most frequent reasons. A demand counts
    once in each grouping: under today's province, its first field, its first industry and the
    year it was first published in, so the cells of each grouping add up to the total.

    Of other tenants' demands those count that the caller may see; its own and a DOST's province
    count in every visibility. For all but operators, cells of fewer than three demands are merged
    into one with `others`, and a selection of fewer than three shows their number alone.
    """
    return await show_gaps(connection, caller, query.selection(), query.group_by)
