"""The checks and metrics that every service has: its database, its events, its clock."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from shared.contracts.messaging import consumers_of, stream_of
from shared.db import Database
from shared.http.broker_health import BrokerHealth, Connection, Sender, objects_exist
from shared.http.database_health import DatabaseHealth
from shared.http.health import Health
from shared.http.metrics import (
    CONSUMER_PENDING,
    CONSUMER_REDELIVERED,
    DEAD_LETTERS_OPEN,
    OUTBOX_OLDEST,
    OUTBOX_UNPUBLISHED,
    RECONCILE_REPAIRS,
    TASK_RESTARTS,
    Reading,
)
from shared.kernel.clock import Clock, utc_now
from shared.kernel.health import CheckFunction

_ON_DATABASE = frozenset({"outbox", "dead_letters"})
"""Checks that ask the database, and are not asked while it fails."""


class EventFigures(Protocol):
    """What is measured of a service's events; None where it cannot be seen."""

    @property
    def outbox_unsent(self) -> int: ...
    @property
    def outbox_oldest_seconds(self) -> float: ...
    @property
    def consumer_waiting(self) -> Mapping[str, int | None]: ...
    @property
    def consumer_redelivered(self) -> Mapping[str, int | None]: ...
    @property
    def dead_letters_open(self) -> Mapping[str, int]: ...
    @property
    def reconcile_repairs(self) -> Mapping[str, int]: ...


class TaskRestarts(Protocol):
    """How often each background task died."""

    @property
    def counts(self) -> Mapping[str, int]: ...


class EventWorker(Protocol):
    """The background half of a service, as health sees it."""

    @property
    def bus(self) -> Connection: ...
    @property
    def relay(self) -> Sender: ...
    @property
    def restarts(self) -> TaskRestarts: ...
    def checks(self) -> Mapping[str, CheckFunction]: ...
    async def figures(self) -> EventFigures: ...


def database_health(
    health: Health, database: Database, package: str, clock: Clock = utc_now
) -> DatabaseHealth:
    """Look at the service's own database, which it cannot do without."""
    found = DatabaseHealth(database, package, clock)
    health.add("database", found.check, needed=True)
    health.add("clock", found.clock_check, after="database")
    health.add_startup("migrations", found.migrations)
    health.collect(found.collect)
    health.database = found
    return found


def service_health(
    service: str,
    database: Database,
    worker: EventWorker,
    *,
    run_worker: bool = True,
    clock: Clock = utc_now,
) -> Health:
    """Return the health of a service with events.

    With `run_worker` off the worker is another process; what lies in the database is seen anyway.
    """
    health = Health(service)
    database_health(health, database, service, clock)
    stream, consumers = stream_of(service).name, consumers_of(service)
    if run_worker:
        health.add("nats", BrokerHealth(worker.bus, worker.relay, stream).check)
        exist = partial(objects_exist, worker.bus, stream, consumers)
        health.add_startup("messaging", exist)
    for name, run in worker.checks().items():
        if name in _ON_DATABASE:
            health.add(name, run, after="database")
        elif run_worker:
            health.add(name, run, after="nats" if name == "drift" else None)

    async def collect(reading: Reading) -> None:
        for task, count in worker.restarts.counts.items():
            reading.put(TASK_RESTARTS, count, task)
        _read(await worker.figures(), reading)

    health.collect(collect)
    return health


def _read(figures: EventFigures, reading: Reading) -> None:
    reading.put(OUTBOX_UNPUBLISHED, figures.outbox_unsent)
    reading.put(OUTBOX_OLDEST, figures.outbox_oldest_seconds)
    reading.put(DEAD_LETTERS_OPEN, sum(figures.dead_letters_open.values()))
    for name, waiting in figures.consumer_waiting.items():
        if waiting is not None:
            reading.put(CONSUMER_PENDING, waiting, name)
    for name, again in figures.consumer_redelivered.items():
        if again is not None:
            reading.put(CONSUMER_REDELIVERED, again, name)
    for kind, count in figures.reconcile_repairs.items():
        reading.put(RECONCILE_REPAIRS, count, kind)
