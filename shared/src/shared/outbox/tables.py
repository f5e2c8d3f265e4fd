"""The messaging tables that every service with events has in its own schema."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
    func,
)

OUTBOX_KEPT_DAYS = 90
"""Postgres is the record: the broker's store may be deleted and refilled from here."""


@dataclass(frozen=True, slots=True)
class MessagingTables:
    """Outbox (events out), inbox (events seen), dead letters, and the database's epoch."""

    outbox: Table
    inbox: Table
    dead_letter: Table
    db_epoch: Table

    @classmethod
    def on(cls, metadata: MetaData) -> Self:
        """Attach the tables to a service's own metadata."""
        return cls(
            outbox=Table(
                "outbox",
                metadata,
                Column("created_at", DateTime(timezone=True), primary_key=True),
                Column("seq", BigInteger, Identity(always=True), primary_key=True),
                Column("event_id", Uuid, nullable=False),
                Column("type", String(128), nullable=False),
                Column("aggregate_id", Uuid, nullable=False),
                Column("aggregate_version", Integer, nullable=False),
                Column("data", LargeBinary, nullable=False),
                Column("db_epoch", Integer, nullable=False),
                Column("traceparent", String(55)),
                Column("correlation_id", String(64)),
                Column("causation_id", String(64)),
                Column("published_at", DateTime(timezone=True)),
            ),
            inbox=Table(
                "inbox",
                metadata,
                Column("consumer", String(64), primary_key=True),
                Column("event_id", Uuid, primary_key=True),
                Column(
                    "received_at",
                    DateTime(timezone=True),
                    server_default=func.now(),
                    nullable=False,
                ),
            ),
            dead_letter=Table(
                "dead_letter",
                metadata,
                Column("consumer", String(64), primary_key=True),
                Column("message_id", String(128), primary_key=True),
                Column("subject", Text, nullable=False),
                Column("headers", Text, nullable=False),
                Column("data", LargeBinary, nullable=False),
                Column("error", Text, nullable=False),
                Column("attempts", SmallInteger, nullable=False),
                Column("state", String(16), nullable=False),
                Column(
                    "first_seen_at",
                    DateTime(timezone=True),
                    server_default=func.now(),
                    nullable=False,
                ),
                Column(
                    "last_seen_at",
                    DateTime(timezone=True),
                    server_default=func.now(),
                    nullable=False,
                ),
            ),
            db_epoch=Table("db_epoch", metadata, Column("epoch", Integer, primary_key=True)),
        )
