"""Counts the dashboard from the facts, all in one moment."""

from collections.abc import Mapping
from datetime import datetime
from itertools import groupby

from sqlalchemy import CTE
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller
from shared.outbox import Transactions
from svc_reporting.domain import dashboard as doc
from svc_reporting.domain.policy import PipelineSight, pipeline_of, sight_of
from svc_reporting.domain.selection import Selection
from svc_reporting.storage import counts, cuts


async def show_dashboard(
    transactions: Transactions, selection: Selection, caller: Caller
) -> doc.Dashboard:
    """Count what this caller may see of the selection."""
    sight = sight_of(caller)
    on_the_way = pipeline_of(sight, selection.provinces)
    demands = cuts.published_demands(selection, sight)
    supplies = cuts.published_supplies(selection, sight)
    places = cuts.places(demands, selection)
    async with transactions.read() as connection:
        await counts.hold_still(connection)
        pipeline = await _pipeline(connection, selection, on_the_way)
        stages = await counts.count_stages(connection, demands)
        return doc.Dashboard(
            as_of=_as_of(await counts.watermarks(connection)),
            visibilities=sorted(sight.visibilities),
            funnel=doc.Funnel(
                received=pipeline.received if pipeline and on_the_way.whole else None,
                published=stages.published,
                with_matches=stages.with_matches,
                matched=stages.matched,
                fulfilled=stages.fulfilled,
                supplies=await counts.count_all(connection, supplies),
                matches=await counts.count_all(connection, places),
            ),
            pipeline=pipeline,
            demands=await _demands(connection, demands),
            supplies=await _supplies(connection, supplies),
            matches=await _matches(connection, places),
            diagnoses=await _diagnoses(connection, demands, stages.open_undiagnosed),
            response_times=await _response_times(connection, demands),
            coverage=doc.Coverage(
                published=stages.open,
                matched=stages.open_matched,
                share=round(stages.open_matched / stages.open, 4) if stages.open else None,
            ),
        )
