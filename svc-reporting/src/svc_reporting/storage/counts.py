"""Counts over the rows of a caller's selection, all at one moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, Float, cast, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandStatus
from shared.contracts.matches import DiagnosisCode
from shared.outbox import Transactions
from svc_reporting.domain.dashboard import Hours
from svc_reporting.domain.policy import PipelineSight, Sight
from svc_reporting.domain.selection import Selection
from svc_reporting.storage import cuts
from svc_reporting.storage.tables import watermark

SECONDS_AN_HOUR = 3600

Counted = list[tuple[Any, int]]
"""A value and how often it stands there, in the order of the values; null comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """Published demands that reached a stage, and those that are PUBLISHED now (`open_`)."""

    published: int
    with_matches: int
    matched: int
    fulfilled: int
    open: int
    open_matched: int
    open_undiagnosed: int


class Counts:
    """What can be counted of one selection. Column names are those of `cuts`."""

    def __init__(self, connection: AsyncConnection, selection: Selection, sight: Sight) -> None:
        self._connection = connection
        self._selection = selection
        self._demands = cuts.published_demands(selection, sight)
        self._supplies = cuts.published_supplies(selection, sight)
        self._places = cuts.places(self._demands, selection, sight)

    async def demands_by(self, column: str) -> Counted:
        return await self._count(self._demands, column)

    async def demands_by_field(self) -> Counted:
        return await self._count_fields(self._demands)

    async def supplies(self) -> int:
        return await self._total(self._supplies)

    async def supplies_by(self, column: str) -> Counted:
        return await self._count(self._supplies, column)

    async def supplies_by_field(self) -> Counted:
        return await self._count_fields(self._supplies)

    async def matches(self) -> int:
        return await self._total(self._places)

    async def matches_by(self, column: str) -> Counted:
        return await self._count(self._places, column)

    async def received(self, sight: PipelineSight) -> Counted:
        """Count all demands ever submitted by status, where `sight` lets them be counted."""
        return await self._count(cuts.received_demands(self._selection, sight), "status")

    async def diagnoses(self) -> list[tuple[str | None, str, int]]:
        """Count the demands that are PUBLISHED now by province and diagnosis."""
        c = self._demands.c
        grouped = (
            select(c.province, c.diagnosis, func.count())
            .where(c.status == DemandStatus.PUBLISHED, c.diagnosis.is_not(None))
            .group_by(c.province, c.diagnosis)
            .order_by(c.province, c.diagnosis)
        )
        rows = await self._connection.execute(grouped)
        return [(province, diagnosis, count) for province, diagnosis, count in rows]

    async def stages(self) -> Stages:
        c = self._demands.c
        is_open = c.status == DemandStatus.PUBLISHED
        is_matched = c.diagnosis == DiagnosisCode.MATCHED
        stages = select(
            func.count().label("published"),
            func.count(c.first_matched_at).label("with_matches"),
            func.count().filter(is_matched).label("matched"),
            func.count().filter(c.status == DemandStatus.FULFILLED).label("fulfilled"),
            func.count().filter(is_open).label("open"),
            func.count().filter(is_open, is_matched).label("open_matched"),
            func.count().filter(is_open, c.diagnosis.is_(None)).label("open_undiagnosed"),
        ).select_from(self._demands)
        return Stages(**(await self._connection.execute(stages)).mappings().one())

    async def hours_until(self, column: str) -> Hours:
        """Measure from the first publication, over the demands where it has come."""
        c = self._demands.c
        seconds = func.extract("epoch", c[column] - c.first_published_at)
        # Two services' clocks may differ by a moment; no list is older than its demand.
        hours = cast(func.greatest(seconds, 0), Float) / SECONDS_AN_HOUR
        measured = select(
            func.count().label("demands"),
            func.percentile_cont(0.5).within_group(hours).label("median_hours"),
            func.percentile_cont(0.9).within_group(hours).label("p90_hours"),
        ).where(c[column].is_not(None))
        return Hours(**(await self._connection.execute(measured)).mappings().one())

    async def watermarks(self) -> dict[str, datetime]:
        """Return the time of the newest event read, by kind."""
        rows = await self._connection.execute(select(watermark.c.stream, watermark.c.newest_at))
        return {row.stream: row.newest_at for row in rows}

    async def _total(self, cut: CTE) -> int:
        return int(await self._connection.scalar(select(func.count()).select_from(cut)) or 0)

    async def _count(self, cut: CTE, name: str) -> Counted:
        column = cut.c[name]
        grouped = select(column, func.count()).group_by(column).order_by(column)
        return [(value, count) for value, count in await self._connection.execute(grouped)]

    async def _count_fields(self, cut: CTE) -> Counted:
        # A row counts once in each of its fields, and under nothing when it has none.
        field = func.unnest(cut.c.fields).table_valued("field").render_derived()
        grouped = (
            select(field.c.field, func.count())
            .select_from(cut.outerjoin(field, literal(True)))
            .group_by(field.c.field)
            .order_by(field.c.field)
        )
        return [(value, count) for value, count in await self._connection.execute(grouped)]


@asynccontextmanager
async def counting(
    transactions: Transactions, selection: Selection, sight: Sight
) -> AsyncIterator[Counts]:
    """Open a view in which every count sees the same moment, so that parts add up to totals."""
    async with transactions.read() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        yield Counts(connection, selection, sight)
