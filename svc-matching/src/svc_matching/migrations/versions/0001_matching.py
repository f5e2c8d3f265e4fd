"""Copies, lists, near misses, epochs, and messaging."""

from alembic import op

from shared.outbox.migration import create_messaging_tables

revision = "0001"
down_revision = None

_TABLES = (
    """
    CREATE TABLE item (
        id uuid PRIMARY KEY,
        kind text NOT NULL CHECK (kind IN ('DEMAND', 'SUPPLY')),
        version integer NOT NULL CHECK (version > 0),
        db_epoch integer NOT NULL,
        status text NOT NULL,
        owner text NOT NULL,
        visibility text NOT NULL,
        province text,
        profile jsonb NOT NULL,
        analyser text NOT NULL,
        analysis bytea NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX item_by_kind ON item (kind, status, id)",
    """
    CREATE TABLE match (
        id uuid PRIMARY KEY,
        demand_id uuid NOT NULL,
        supply_id uuid NOT NULL,
        state text NOT NULL,
        listed boolean NOT NULL,
        score integer NOT NULL CHECK (score BETWEEN 0 AND 1000000),
        relevance integer NOT NULL,
        confidence integer NOT NULL,
        reasons smallint NOT NULL,
        demand_version integer NOT NULL,
        supply_version integer NOT NULL,
        index_epoch integer NOT NULL,
        weights_version text NOT NULL,
        vocabulary_version text NOT NULL,
        components bytea NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CONSTRAINT match_pair UNIQUE (demand_id, supply_id)
    )
    """,
    "CREATE INDEX match_of_supply ON match (supply_id, score DESC, demand_id) WHERE listed",
    """
    CREATE TABLE match_run (
        demand_id uuid NOT NULL,
        demand_version integer NOT NULL,
        index_epoch integer NOT NULL,
        listed smallint NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (demand_id, demand_version, index_epoch)
    )
    """,
    """
    CREATE TABLE near_miss (
        demand_id uuid NOT NULL,
        supply_id uuid NOT NULL,
        supply_version integer NOT NULL,
        relevance integer NOT NULL,
        reasons smallint NOT NULL,
        PRIMARY KEY (demand_id, supply_id)
    )
    """,
    "CREATE INDEX near_miss_of_supply ON near_miss (supply_id)",
    """
    CREATE TABLE demand_state (
        demand_id uuid PRIMARY KEY,
        demand_version integer NOT NULL,
        index_epoch integer NOT NULL,
        is_open boolean NOT NULL,
        bar integer NOT NULL,
        witness_id uuid,
        witness_relevance integer NOT NULL,
        list_version integer NOT NULL,
        diagnosis text,
        diagnosis_version integer NOT NULL,
        reasons text[] NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX demand_state_by_epoch ON demand_state (index_epoch) WHERE is_open",
    "CREATE INDEX demand_state_by_witness ON demand_state (witness_id)",
    """
    CREATE TABLE epoch (
        number bigint PRIMARY KEY,
        supplies integer NOT NULL,
        weights_version text NOT NULL,
        statistics bytea NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
)


def upgrade() -> None:
    create_messaging_tables()
    for statement in _TABLES:
        op.execute(statement)
