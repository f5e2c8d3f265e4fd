"""Messaging tables and the first facts."""

from alembic import op

from shared.outbox.migration import create_messaging_tables

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE demand_fact (
    id uuid PRIMARY KEY,
    epoch integer NOT NULL,
    version integer NOT NULL,
    status varchar(32) NOT NULL,
    visibility varchar(16) NOT NULL,
    owner text NOT NULL,
    kind varchar(32),
    enterprise_size varchar(16),
    province varchar(2),
    fields varchar(8)[] NOT NULL,
    industries varchar(4)[] NOT NULL,
    first_received_at timestamptz NOT NULL,
    first_published_at timestamptz,
    received_month date GENERATED ALWAYS AS
        (date_trunc('month', first_received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) STORED,
    published_month date GENERATED ALWAYS AS
        (date_trunc('month', first_published_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) STORED
);

CREATE TABLE supply_fact (
    id uuid PRIMARY KEY,
    epoch integer NOT NULL,
    version integer NOT NULL,
    status varchar(32) NOT NULL,
    visibility varchar(16) NOT NULL,
    owner text NOT NULL,
    kind varchar(32),
    country varchar(2),
    fields varchar(8)[] NOT NULL,
    first_published_at timestamptz,
    published_month date GENERATED ALWAYS AS
        (date_trunc('month', first_published_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) STORED
);

CREATE TABLE match_fact (
    demand_id uuid PRIMARY KEY,
    epoch integer NOT NULL,
    version integer NOT NULL,
    demand_version integer NOT NULL,
    matches integer NOT NULL,
    top_score double precision,
    supply_ids uuid[] NOT NULL,
    first_listed_at timestamptz NOT NULL,
    first_matched_at timestamptz,
    matched_month date GENERATED ALWAYS AS
        (date_trunc('month', first_matched_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date) STORED
);

CREATE TABLE diagnosis_fact (
    demand_id uuid PRIMARY KEY,
    epoch integer NOT NULL,
    version integer NOT NULL,
    demand_version integer NOT NULL,
    diagnosis varchar(32) NOT NULL,
    reasons varchar(32)[] NOT NULL
);

CREATE TABLE watermark (
    stream varchar(16) PRIMARY KEY,
    newest_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    create_messaging_tables()
    for statement in _TABLES.strip().split(";\n"):
        op.execute(statement)
