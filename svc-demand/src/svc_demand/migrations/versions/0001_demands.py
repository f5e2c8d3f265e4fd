"""Demands, their history, imports, stored answers, and messaging."""

from alembic import op

from shared.db.migration import (
    create_history_table,
    create_idempotency_table,
    create_staging,
)
from shared.imports.migration import create_import_tables
from shared.outbox.migration import create_messaging_tables

revision = "0001"
down_revision = None

# A document is two or three KiB; kept whole in its row it is written faster than compressed.
_DEMAND = """
CREATE TABLE demand (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version > 0),
    status text NOT NULL,
    owner text NOT NULL,
    visibility text NOT NULL,
    province text,
    kind text,
    language text,
    enterprise_size text,
    source_system text,
    source_ref text,
    search_key text NOT NULL,
    needed_by date,
    open_for_interest boolean NOT NULL,
    announced boolean NOT NULL,
    fields text[] NOT NULL,
    industries text[] NOT NULL,
    digest bytea NOT NULL,
    document json NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT demand_natural_key UNIQUE (owner, source_system, source_ref)
) WITH (toast_tuple_target = 8160)
"""

# Lists go by id, newest first, within one status, owner or province.
_INDEXES = (
    "CREATE INDEX demand_by_status ON demand (status, id)",
    "CREATE INDEX demand_by_owner ON demand (owner, id)",
    "CREATE INDEX demand_by_province ON demand (province, id)",
    # What only some may see: the ways of `show_to` walk these, however many are public.
    "CREATE INDEX demand_hidden_by_owner ON demand (owner, id)"
    " WHERE NOT (status = 'PUBLISHED' AND visibility = 'PUBLIC')",
    "CREATE INDEX demand_hidden_by_province ON demand (province, id)"
    " WHERE NOT (status = 'PUBLISHED' AND visibility = 'PUBLIC')",
    "CREATE INDEX demand_by_fields ON demand USING gin (fields)",
    "CREATE INDEX demand_by_industries ON demand USING gin (industries)",
    "CREATE INDEX demand_due ON demand (needed_by) WHERE status IN ('PUBLISHED', 'ON_HOLD')",
)


def upgrade() -> None:
    create_messaging_tables()
    create_idempotency_table()
    create_history_table()
    create_import_tables()
    op.execute(_DEMAND)
    for index in _INDEXES:
        op.execute(index)
    create_staging("demand")
