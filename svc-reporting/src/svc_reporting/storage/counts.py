"""Counts over the rows of a cut."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Float, Row, cast, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.demands import DemandStatus
from shared.contracts.matches import DiagnosisCode
from svc_reporting.storage.tables import watermark

Counted = Sequence[Row[Any]]


async def hold_still(connection: AsyncConnection) -> None:
    """Let every query of this transaction see one moment, so that totals and parts agree."""
    await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))


async def count_by(connection: AsyncConnection, *columns: ColumnElement[Any]) -> Counted:
    """Return the columns' values with how often each stands there, in their order."""
    grouped = select(*columns, func.count()).group_by(*columns).order_by(*columns)
    return (await connection.execute(grouped)).all()


async def count_by_field(connection: AsyncConnection, cut: CTE) -> Counted:
    """Count each row once in each of its fields; a row without any under null."""
    field = func.unnest(cut.c.fields).table_valued("field").lateral()
    grouped = (
        select(field.c.field, func.count())
        .select_from(cut.outerjoin(field, literal(True)))
        .group_by(field.c.field)
        .order_by(field.c.field)
    )
    return (await connection.execute(grouped)).all()


async def count_all(connection: AsyncConnection, cut: CTE) -> int:
    return int(await connection.scalar(select(func.count()).select_from(cut)) or 0)


async def count_stages(connection: AsyncConnection, demands: CTE) -> Row[Any]:
    """Return how many demands reached each stage, and how many are open now."""
    c = demands.c
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
    ).select_from(demands)
    return (await connection.execute(stages)).one()


async def count_diagnoses(
    connection: AsyncConnection, demands: CTE, *columns: ColumnElement[Any]
) -> Counted:
    """Count the diagnoses of the demands that are PUBLISHED now."""
    by = (*columns, demands.c.diagnosis)
    grouped = (
        select(*by, func.count())
        .where(demands.c.status == DemandStatus.PUBLISHED, demands.c.diagnosis.is_not(None))
        .group_by(*by)
        .order_by(*by)
    )
    return (await connection.execute(grouped)).all()


async def hours_until(
    connection: AsyncConnection, demands: CTE, reached_at: ColumnElement[datetime]
) -> Row[Any]:
    """Return over how many demands, the median and the ninth decile, in hours."""
    seconds = func.extract("epoch", reached_at - demands.c.first_published_at)
    # Two services' clocks may differ by a moment; no list is older than its demand.
    hours = cast(func.greatest(seconds, 0), Float) / 3600
    measured = select(
        func.count(hours).label("demands"),
        func.percentile_cont(0.5).within_group(hours).label("median_hours"),
        func.percentile_cont(0.9).within_group(hours).label("p90_hours"),
    ).select_from(demands)
    return (await connection.execute(measured)).one()


async def watermarks(connection: AsyncConnection) -> dict[str, datetime]:
    """Return the time of the newest event read, by kind."""
    rows = await connection.execute(select(watermark.c.stream, watermark.c.newest_at))
    return {row.stream: row.newest_at for row in rows}
