"""The messaging tables that every service with events has in its own schema."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

OUTBOX_KEPT_DAYS = 90
"""Postgres is the record: the broker's store may be deleted and refilled from here."""
INBOX_KEPT_DAYS = 120
"""Longer than any event can come again, be it from the stream, an outbox or a dead letter."""


@dataclass(frozen=True, slots=True)
class MessagingTables:
    """Outbox (events out), how far it is sent, inbox (events seen), dead letters, epoch."""

    outbox: Table
    relay_state: Table
    inbox: Table
    dead_letter: Table
    db_epoch: Table

    def all(self) -> tuple[Table, ...]:
        return (self.outbox, self.relay_state, self.inbox, self.dead_letter, self.db_epoch)

    @classmethod
    def on(cls, metadata: MetaData | None = None) -> Self:
        """Attach the tables to a service's own metadata."""
        metadata = metadata or MetaData()
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
                Column("stream_seq", BigInteger),
            ),
            # One row: the stream that was written to, and the highest place it acknowledged.
            relay_state=Table(
                "relay_state",
                metadata,
                Column("is_only_row", Boolean, primary_key=True),
                Column("stream_created_at", DateTime(timezone=True)),
                Column("last_seq", BigInteger, nullable=False),
                Column("dropped_before", DateTime(timezone=True)),
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
                Column("number", BigInteger, Identity(always=True), nullable=False),
                Column("subject", Text, nullable=False),
                Column("headers", Text, nullable=False),
                Column("data", LargeBinary, nullable=False),
                Column("error", Text, nullable=False),
                Column("attempts", SmallInteger, nullable=False),
                Column("state", String(16), nullable=False),
                Column("next_attempt_at", DateTime(timezone=True)),
                Column("history", JSONB, server_default=text("'[]'"), nullable=False),
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
