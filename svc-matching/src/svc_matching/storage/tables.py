"""The tables of the schema `matching`; the role's search_path names the schema."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.db import idempotency_table
from shared.outbox import MessagingTables

metadata = MetaData()

messaging = MessagingTables.on(metadata)
idempotency = idempotency_table(metadata)

# Our own copies of demands and supplies. `analysis` holds the terms that `analyser` found, so
# that a start needs no analysis. Gaps are counted by the first `field` and `industry` of a demand
# and by `published_at`, its first publication as far as is known. `embedding` is the one that
# `embedder` made of the text; an embedder alone says that it gives none.
item = Table(
    "item",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("db_epoch", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("visibility", Text, nullable=False),
    Column("province", Text),
    Column("profile", JSONB, nullable=False),
    Column("analyser", Text, nullable=False),
    Column("analysis", LargeBinary, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    Column("field", Text),
    Column("industry", Text),
    Column("published_at", DateTime(timezone=True)),
    Column("embedding", LargeBinary),
    Column("embedder", Text),
)

# One row for each pair that was ever listed. Scores are millionths; a rank is the place by
# (score, supply_id) among the listed, so that a new entry moves no row but its own.
match = Table(
    "match",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("demand_id", Uuid, nullable=False),
    Column("supply_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("score", Integer, nullable=False),
    Column("relevance", Integer, nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("reasons", SmallInteger, nullable=False),
    Column("demand_version", Integer, nullable=False),
    Column("supply_version", Integer, nullable=False),
    Column("index_epoch", Integer, nullable=False),
    Column("weights_version", Text, nullable=False),
    Column("vocabulary_version", Text, nullable=False),
    Column("components", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

match_run = Table(
    "match_run",
    metadata,
    Column("demand_id", Uuid, primary_key=True),
    Column("demand_version", Integer, primary_key=True),
    Column("index_epoch", Integer, primary_key=True),
    Column("listed", SmallInteger, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

near_miss = Table(
    "near_miss",
    metadata,
    Column("demand_id", Uuid, primary_key=True),
    Column("supply_id", Uuid, primary_key=True),
    Column("supply_version", Integer, nullable=False),
    Column("relevance", Integer, nullable=False),
    Column("reasons", SmallInteger, nullable=False),
)

# Where each demand's list stands. `bar` is the relevance from which a supply can change it;
# `witness_id` is a supply that makes the demand MATCHED.
demand_state = Table(
    "demand_state",
    metadata,
    Column("demand_id", Uuid, primary_key=True),
    Column("demand_version", Integer, nullable=False),
    Column("index_epoch", Integer, nullable=False),
    Column("is_open", Boolean, nullable=False),
    Column("bar", Integer, nullable=False),
    Column("witness_id", Uuid),
    Column("witness_relevance", Integer, nullable=False),
    Column("list_version", Integer, nullable=False),
    Column("diagnosis", Text),
    Column("diagnosis_version", Integer, nullable=False),
    Column("reasons", ARRAY(Text), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# Inside an epoch only the embeddings of its `embedder` count.
epoch = Table(
    "epoch",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("supplies", Integer, nullable=False),
    Column("weights_version", Text, nullable=False),
    Column("statistics", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("priced_at", DateTime(timezone=True)),
    Column("vocabulary_version", Text, nullable=False),
    Column("vocabulary_revision", Integer, nullable=False),
    Column("embedder", Text),
)

# Analyses made with the next vocabulary, of these very versions; empty where nothing differs.
item_next = Table(
    "item_next",
    metadata,
    Column("item_id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("db_epoch", Integer, nullable=False),
    Column("analyser", Text, nullable=False),
    Column("analysis", LargeBinary),
)

vocabulary_proposal = Table(
    "vocabulary_proposal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposer_role", Text, nullable=False),
    Column("concept_id", Text, nullable=False),
    Column("asked", JSONB, nullable=False),
    Column("decided_by", Text),
    Column("decider_role", Text),
    Column("decision_reason", Text),
    Column("vocabulary_version", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)

# The log of accepted changes; `concept` is the whole concept as it is from then on.
vocabulary_revision = Table(
    "vocabulary_revision",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("vocabulary_version", Text, nullable=False),
    Column("concept_id", Text, nullable=False),
    Column("concept", JSONB, nullable=False),
    Column("proposal_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

# What a supply's scores are lowered by when lists of that epoch are read, in millionths.
price = Table(
    "price",
    metadata,
    Column("index_epoch", Integer, primary_key=True, autoincrement=False),
    Column("supply_id", Uuid, primary_key=True),
    Column("price", Integer, nullable=False),
)
