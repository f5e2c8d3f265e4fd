"""Reads `matching.list.*` and `matching.diagnosis.*`; other aggregates of svc-matching pass by."""

from collections.abc import Sequence

from shared.contracts.events import Event
from shared.contracts.matches import DiagnosisState, MatchList
from shared.outbox import UnitOfWork
from svc_reporting.consumers.bodies import read_bodies
from svc_reporting.usecases.matches import record_matching


async def on_matching_events(work: UnitOfWork, events: Sequence[Event]) -> None:
    lists = read_bodies(events, "matching.list", MatchList)
    diagnoses = read_bodies(events, "matching.diagnosis", DiagnosisState)
    if lists or diagnoses:
        await record_matching(work, lists, diagnoses)
