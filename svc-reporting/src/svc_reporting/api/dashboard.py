"""`/v1/reporting/dashboard`."""

from datetime import date
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import Contract
from shared.contracts.places import codes_of
from shared.contracts.values import CountryCode, FieldCode, ProvinceCode
from shared.http.auth import AnyCaller
from shared.outbox import Transactions
from svc_reporting.domain.dashboard import Dashboard
from svc_reporting.domain.selection import Selection
from svc_reporting.usecases.dashboard import show_dashboard

router = APIRouter(tags=["reporting"])

Month = Annotated[str, StringConstraints(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]


class DashboardQuery(Contract):
    """A cut through the numbers; everything may be left out."""

    province: ProvinceCode | None = Field(
        None,
        description="Demands of this province of today, under any of the codes of its parts; a code"
        " retired on 2025-07-01 means the same province. Leaves supplies alone.",
    )
    field: FieldCode | None = Field(
        None, description="FORD code of demands and supplies; `2` includes `2.11`."
    )
    country: CountryCode | None = Field(
        None, description="Supplies, and matches with supplies, of this country of origin."
    )
    year: int | None = Field(
        None, ge=2000, le=2099, description="Short for its twelve months; not with the other two."
    )
    month_from: Month | None = Field(
        None,
        description="Published in this month (Vietnam time) or later, `2026-07`.",
        examples=["2026-01"],
    )
    month_to: Month | None = Field(
        None, description="Published in this month or earlier.", examples=["2026-06"]
    )

    @model_validator(mode="after")
    def _one_period(self) -> Self:
        if self.year is not None and (self.month_from or self.month_to):
            raise PydanticCustomError("period_twice", "give `year`, or months, not both")
        if self.month_from and self.month_to and self.month_from > self.month_to:
            raise PydanticCustomError("month_order", "`month_from` is after `month_to`")
        return self

    def selection(self) -> Selection:
        first, last = _month(self.month_from), _month(self.month_to)
        if self.year is not None:
            first, last = date(self.year, 1, 1), date(self.year, 12, 1)
        return Selection(
            provinces=frozenset(codes_of(self.province)) if self.province else None,
            field=self.field,
            country=self.country,
            first_month=first,
            last_month=last,
        )


def _month(text: str | None) -> date | None:
    return date.fromisoformat(f"{text}-01") if text else None


async def _transactions(request: Request) -> Transactions:
    found: Transactions = request.app.state.transactions
    return found


@router.get("/v1/reporting/dashboard", summary="Bảng điều khiển · Dashboard")
async def get_dashboard(
    query: Annotated[DashboardQuery, Query()],
    caller: AnyCaller,
    transactions: Annotated[Transactions, Depends(_transactions)],
) -> Dashboard:
    """How far demands and supplies have come: counts, never titles or owners.

    Without a token, of PUBLIC things that are or were published. Operator, reporter and ops also
    see demands on their way to publication, a DOST those of its own province.
    """
    return await show_dashboard(transactions, query.selection(), caller)
