"""Outbox and inbox: a change and its event share a transaction, an event and its effect too."""

from shared.outbox.consumer import Consumer
from shared.outbox.inbox import Handler
from shared.outbox.periodic import periodic
from shared.outbox.reconciler import Reconciler, Repair
from shared.outbox.relay import Relay
from shared.outbox.tables import MessagingTables
from shared.outbox.work import Transactions, UnitOfWork
from shared.outbox.worker import Worker

__all__ = [
    "Consumer",
    "Handler",
    "MessagingTables",
    "Reconciler",
    "Relay",
    "Repair",
    "Transactions",
    "UnitOfWork",
    "Worker",
    "periodic",
]
