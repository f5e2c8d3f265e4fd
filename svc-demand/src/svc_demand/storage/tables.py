"""The tables of the schema `demand`; the role's search_path names the schema."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON

from shared.db import history_table, idempotency_table
from shared.imports.tables import ImportTables
from shared.outbox import MessagingTables

metadata = MetaData()

messaging = MessagingTables.on(metadata)
idempotency = idempotency_table(metadata)
imports = ImportTables.on(metadata)
transition = history_table(metadata)

# `document` is the demand as its readers see it, whole; the other columns only repeat what is
# filtered, guarded or joined on. `digest` stands for what it says, without identity and status.
demand = Table(
    "demand",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("province", Text),
    Column("kind", Text),
    Column("language", Text),
    Column("enterprise_size", Text),
    Column("source_system", Text),
    Column("source_ref", Text),
    Column("search_key", Text, nullable=False),
    Column("needed_by", Date),
    Column("open_for_interest", Boolean, nullable=False),
    Column("announced", Boolean, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("industries", ARRAY(Text), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
NATURAL_KEY = "demand_natural_key"
