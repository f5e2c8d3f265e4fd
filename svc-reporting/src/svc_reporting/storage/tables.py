"""The tables of the schema `reporting`: the newest state of each thing, and what came first.

Nothing here is a counter. Whatever is shown is counted from these rows when it is asked for.
"""

from sqlalchemy import (
    ARRAY,
    Column,
    Computed,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
)

from shared.outbox import MessagingTables

metadata = MetaData()
messaging = MessagingTables.on(metadata)


def _month_of(column: str) -> Computed:
    return Computed(f"date_trunc('month', {column} AT TIME ZONE 'Asia/Ho_Chi_Minh')::date")


demand_fact = Table(
    "demand_fact",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("kind", String(32)),
    Column("enterprise_size", String(16)),
    Column("province", String(2)),
    Column("fields", ARRAY(String(8)), nullable=False),
    Column("industries", ARRAY(String(4)), nullable=False),
    Column("first_received_at", DateTime(timezone=True), nullable=False),
    Column("first_published_at", DateTime(timezone=True)),
    Column("received_month", Date, _month_of("first_received_at")),
    Column("published_month", Date, _month_of("first_published_at")),
)

supply_fact = Table(
    "supply_fact",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("kind", String(32)),
    Column("country", String(2)),
    Column("fields", ARRAY(String(8)), nullable=False),
    Column("first_published_at", DateTime(timezone=True)),
    Column("published_month", Date, _month_of("first_published_at")),
)

match_fact = Table(
    "match_fact",
    metadata,
    Column("demand_id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("demand_version", Integer, nullable=False),
    Column("matches", Integer, nullable=False),
    Column("top_score", Float),
    Column("supply_ids", ARRAY(Uuid), nullable=False),
    Column("first_listed_at", DateTime(timezone=True), nullable=False),
    Column("first_matched_at", DateTime(timezone=True)),
    Column("matched_month", Date, _month_of("first_matched_at")),
)

diagnosis_fact = Table(
    "diagnosis_fact",
    metadata,
    Column("demand_id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("demand_version", Integer, nullable=False),
    Column("diagnosis", String(32), nullable=False),
    Column("reasons", ARRAY(String(32)), nullable=False),
)

watermark = Table(
    "watermark",
    metadata,
    Column("stream", String(16), primary_key=True),
    Column("newest_at", DateTime(timezone=True), nullable=False),
)
