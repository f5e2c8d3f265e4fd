"""Add up what stands in the way of the demands that a caller may count."""

import asyncio
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.identity import Caller
from svc_matching.domain.gaps import FEWEST, GapGrouping, Gaps, GapSelection, add_up
from svc_matching.domain.matches import provinces_of, visibilities_of
from svc_matching.storage.gaps import count_diagnoses


async def show_gaps(
    connection: AsyncConnection,
    caller: Caller,
    selection: GapSelection,
    group_by: GapGrouping | None,
) -> Gaps:
    """Return the gaps of the selection, by one property or by each."""
    groupings = list(GapGrouping) if group_by is None else [group_by]
    counted = await count_diagnoses(
        connection,
        selection,
        groupings,
        None if caller.is_operator else visibilities_of(caller),
        caller.tenant,
        provinces_of(caller),
    )
    fewest = 1 if caller.is_operator else FEWEST
    return await asyncio.to_thread(partial(add_up, counted, groupings, fewest=fewest))
