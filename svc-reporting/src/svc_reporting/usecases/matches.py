"""Takes in what svc-matching tells: lists and diagnoses."""

from collections.abc import Sequence

from shared.contracts.events import Event
from shared.contracts.matches import DiagnosisState, MatchList
from shared.outbox import UnitOfWork
from svc_reporting.storage.facts import Row, advance_watermark, keep_newest
from svc_reporting.storage.tables import diagnosis_fact, match_fact


async def record_matching(
    work: UnitOfWork,
    lists: Sequence[tuple[Event, MatchList]],
    diagnoses: Sequence[tuple[Event, DiagnosisState]],
) -> None:
    """Keep each demand's newest list and diagnosis, and when it first had a list and a match."""
    await keep_newest(
        work.connection,
        match_fact,
        [_list_row(event, found) for event, found in lists],
        earliest=("first_listed_at", "first_matched_at"),
    )
    await keep_newest(
        work.connection,
        diagnosis_fact,
        [_diagnosis_row(event, found) for event, found in diagnoses],
        earliest=(),
    )
    newest_at = max(event.time for event, _ in (*lists, *diagnoses))
    await advance_watermark(work.connection, "matches", newest_at)


def _list_row(event: Event, found: MatchList) -> Row:
    return {
        "demand_id": found.id,
        "epoch": event.db_epoch,
        "version": found.version,
        "demand_version": found.demand_version,
        "matches": len(found.items),
        "top_score": max((entry.score for entry in found.items), default=None),
        "supply_ids": [entry.supply_id for entry in found.items],
        "first_listed_at": found.updated_at,
        "first_matched_at": found.updated_at if found.items else None,
    }


def _diagnosis_row(event: Event, found: DiagnosisState) -> Row:
    return {
        "demand_id": found.id,
        "epoch": event.db_epoch,
        "version": found.version,
        "demand_version": found.demand_version,
        "diagnosis": found.diagnosis,
        "reasons": found.reasons,
    }
