"""Supplies, their history, imports, stored answers, and messaging."""

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
_SUPPLY = """
CREATE TABLE supply (
    id uuid PRIMARY KEY,
    version integer NOT NULL CHECK (version > 0),
    status text NOT NULL,
    owner text NOT NULL,
    visibility text NOT NULL,
    kind text,
    language text,
    country text,
    legal_list text NOT NULL,
    source_kind text,
    source_system text,
    source_ref text,
    search_key text NOT NULL,
    available_until date,
    announced boolean NOT NULL,
    fields text[] NOT NULL,
    industries text[] NOT NULL,
    digest bytea NOT NULL,
    document json NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT supply_natural_key UNIQUE (owner, source_system, source_ref)
) WITH (toast_tuple_target = 8160)
"""

# Lists go by id, newest first, within one status, owner or country.
_INDEXES = (
    "CREATE INDEX supply_by_status ON supply (status, id)",
    "CREATE INDEX supply_by_owner ON supply (owner, id)",
    "CREATE INDEX supply_by_country ON supply (country, id)",
    # What only some may see: the ways of `show_to` walk these, however many are public.
    "CREATE INDEX supply_hidden_by_owner ON supply (owner, id)"
    " WHERE NOT (status = 'PUBLISHED' AND visibility = 'PUBLIC')",
    "CREATE INDEX supply_by_fields ON supply USING gin (fields)",
    "CREATE INDEX supply_by_industries ON supply USING gin (industries)",
    "CREATE INDEX supply_due ON supply (available_until) WHERE status IN ('PUBLISHED', 'ON_HOLD')",
)


def upgrade() -> None:
    create_messaging_tables()
    create_idempotency_table()
    create_history_table()
    create_import_tables()
    op.execute(_SUPPLY)
    for index in _INDEXES:
        op.execute(index)
    create_staging("supply")
