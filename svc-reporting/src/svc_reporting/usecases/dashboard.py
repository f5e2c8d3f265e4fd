"""Puts the dashboard together from the counts."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import groupby

from shared.contracts.identity import Caller
from shared.contracts.matches import DiagnosisCode
from shared.outbox import Transactions
from svc_reporting.domain import dashboard as parts
from svc_reporting.domain.dashboard import Dashboard, ProvinceEntry
from svc_reporting.domain.policy import PipelineSight, pipeline_of, sight_of
from svc_reporting.domain.selection import Selection
from svc_reporting.storage.counts import Counts, counting


async def show_dashboard(
    transactions: Transactions, selection: Selection, caller: Caller
) -> Dashboard:
    """Count what this caller may see of the selection."""
    sight = sight_of(caller)
    on_the_way = pipeline_of(sight, selection.provinces)
    async with counting(transactions, selection, sight) as counts:
        stages = await counts.stages()
        pipeline = await _pipeline(counts, on_the_way) if on_the_way else None
        seen_whole = on_the_way is not None and on_the_way.whole
        return Dashboard(
            as_of=await _as_of(counts),
            visibilities=sorted(sight.visibilities),
            funnel=parts.Funnel(
                demands_received=pipeline.received if pipeline and seen_whole else None,
                demands_published=stages.published,
                demands_with_matches=stages.with_matches,
                demands_matched=stages.matched,
                demands_fulfilled=stages.fulfilled,
                supplies_published=await counts.supplies(),
                matches=await counts.matches(),
            ),
            pipeline=pipeline,
            demands=await _demands(counts),
            supplies=await _supplies(counts),
            matches=await _matches(counts),
            diagnoses=await _diagnoses(counts, pending=stages.open_undiagnosed),
            response_times=parts.ResponseTimes(
                to_first_list=await counts.hours_until("first_listed_at"),
                to_first_match=await counts.hours_until("first_matched_at"),
            ),
            coverage=parts.Coverage(
                published=stages.open,
                matched=stages.open_matched,
                share=round(stages.open_matched / stages.open, 4) if stages.open else None,
            ),
        )


async def _as_of(counts: Counts) -> parts.AsOf:
    read = await counts.watermarks()
    return parts.AsOf(
        demands=read.get("demands"), supplies=read.get("supplies"), matches=read.get("matches")
    )


async def _pipeline(counts: Counts, sight: PipelineSight) -> parts.Pipeline:
    by_status = [
        parts.DemandStatusCount(status=status, count=count)
        for status, count in await counts.received(sight)
    ]
    only = None if sight.whole or not sight.provinces else min(sight.provinces)
    return parts.Pipeline(
        province=parts.Place.today(only) if only else None,
        received=sum(entry.count for entry in by_status),
        by_status=by_status,
    )


async def _demands(counts: Counts) -> parts.DemandCounts:
    return parts.DemandCounts(
        by_province=_provinces(await counts.demands_by("province")),
        by_field=_fields(await counts.demands_by_field()),
        by_month=_months(await counts.demands_by("published_month")),
        by_status=[
            parts.DemandStatusCount(status=status, count=count)
            for status, count in await counts.demands_by("status")
        ],
    )


async def _supplies(counts: Counts) -> parts.SupplyCounts:
    return parts.SupplyCounts(
        by_country=_countries(await counts.supplies_by("country")),
        by_field=_fields(await counts.supplies_by_field()),
        by_month=_months(await counts.supplies_by("published_month")),
        by_kind=[
            parts.SupplyKindCount(kind=kind, count=count)
            for kind, count in await counts.supplies_by("kind")
        ],
        by_status=[
            parts.SupplyStatusCount(status=status, count=count)
            for status, count in await counts.supplies_by("status")
        ],
    )


async def _matches(counts: Counts) -> parts.MatchCounts:
    return parts.MatchCounts(
        by_province=_provinces(await counts.matches_by("province")),
        by_country=_countries(await counts.matches_by("country")),
        by_month=_months(await counts.matches_by("matched_month")),
    )


async def _diagnoses(counts: Counts, *, pending: int) -> parts.DiagnosisCounts:
    found = await counts.diagnoses()
    by_code: Counter[str] = Counter()
    for _, code, count in found:
        by_code[code] += count
    return parts.DiagnosisCounts(
        by_code=_diagnosis_counts(sorted(by_code.items())),
        by_province=[
            parts.ProvinceDiagnoses(
                **ProvinceEntry.names(province),
                diagnoses=_diagnosis_counts((code, count) for _, code, count in rows),
            )
            for province, rows in groupby(found, key=lambda row: row[0])
        ],
        pending=pending,
    )


def _diagnosis_counts(rows: Iterable[tuple[str, int]]) -> list[parts.DiagnosisCount]:
    return [
        parts.DiagnosisCount(diagnosis=DiagnosisCode(code), count=count) for code, count in rows
    ]


def _provinces(rows: Iterable[tuple[str | None, int]]) -> list[parts.ProvinceCount]:
    return [parts.ProvinceCount(**ProvinceEntry.names(code), count=count) for code, count in rows]


def _fields(rows: Iterable[tuple[str | None, int]]) -> list[parts.FieldCount]:
    return [parts.FieldCount(field=field, count=count) for field, count in rows]


def _countries(rows: Iterable[tuple[str | None, int]]) -> list[parts.CountryCount]:
    return [parts.CountryCount(country=country, count=count) for country, count in rows]


def _months(rows: Iterable[tuple[date, int]]) -> list[parts.MonthCount]:
    return [parts.MonthCount(month=f"{month:%Y-%m}", count=count) for month, count in rows]
