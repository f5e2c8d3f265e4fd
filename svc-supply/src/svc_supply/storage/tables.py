"""The tables of the schema `supply`; the role's search_path names the schema."""

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

# `document` is the supply as its readers see it, whole; the other columns only repeat what is
# filtered, guarded or joined on. `digest` stands for what it says, without identity and status.
supply = Table(
    "supply",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("kind", Text),
    Column("language", Text),
    Column("country", Text),
    Column("legal_list", Text, nullable=False),
    Column("source_kind", Text),
    Column("source_system", Text),
    Column("source_ref", Text),
    Column("search_key", Text, nullable=False),
    Column("available_until", Date),
    Column("announced", Boolean, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("industries", ARRAY(Text), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)
NATURAL_KEY = "supply_natural_key"
