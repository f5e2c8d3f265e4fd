"""The first version of the tables of this package, for a service's first migration.

Frozen: a change to a table is a new function here and a new migration in each service.
"""

from alembic import op

_IDEMPOTENCY = """
CREATE TABLE idempotency (
    client varchar(64) NOT NULL,
    key varchar(255) NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (client, key)
)
"""

_HISTORY = """
CREATE TABLE transition (
    resource_id uuid NOT NULL,
    version integer NOT NULL,
    step smallint NOT NULL,
    from_status text,
    to_status text NOT NULL,
    actor text NOT NULL,
    role text NOT NULL,
    reason text,
    checklist jsonb,
    at timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version, step)
)
"""


# Runs with the owner's rights: the service itself may not create tables, temporary ones neither.
_STAGING = """
CREATE FUNCTION open_staging() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF to_regclass('pg_temp.staging_{table}') IS NULL THEN
        CREATE TEMP TABLE staging_{table} (LIKE {table}) ON COMMIT DELETE ROWS;
        CREATE TEMP TABLE staging_transition (LIKE transition) ON COMMIT DELETE ROWS;
        EXECUTE format(
            'GRANT SELECT, INSERT ON staging_{table}, staging_transition TO %I', session_user
        );
    ELSE -- a second batch of one transaction begins with empty tables too
        DELETE FROM pg_temp.staging_{table};
        DELETE FROM pg_temp.staging_transition;
    END IF;
END $$
"""


def create_idempotency_table() -> None:
    """Create the table of stored answers."""
    op.execute(_IDEMPOTENCY)
    op.execute("CREATE INDEX idempotency_created ON idempotency (created_at)")


def create_history_table() -> None:
    """Create the table of moves."""
    op.execute(_HISTORY)


def create_staging(table: str) -> None:
    """Create the function that makes a session's staging tables for `table` and its history."""
    op.execute(_STAGING.format(table=table))
