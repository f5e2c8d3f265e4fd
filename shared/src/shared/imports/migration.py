"""The first version of the import tables, for a service's first migration.

Frozen: a change to a table is a new function here and a new migration in each service.
"""

from alembic import op

_JOB = """
CREATE TABLE import_job (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    caller jsonb NOT NULL,
    english boolean NOT NULL,
    kind text NOT NULL,
    file_name text NOT NULL,
    file bytea,
    state text NOT NULL CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
    total integer NOT NULL,
    done integer NOT NULL DEFAULT 0,
    created integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    unchanged integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    detail text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
)
"""

_ERROR = """
CREATE TABLE import_error (
    job_id uuid NOT NULL REFERENCES import_job (id) ON DELETE CASCADE,
    line integer NOT NULL,
    position smallint NOT NULL,
    pointer text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (job_id, line, position)
)
"""


def create_import_tables() -> None:
    """Create the tables of jobs and of refused rows."""
    op.execute(_JOB)
    # Read once and dropped: compressing it would cost more than it saves.
    op.execute("ALTER TABLE import_job ALTER COLUMN file SET STORAGE EXTERNAL")
    op.execute(
        "CREATE INDEX import_job_open ON import_job (id) WHERE state IN ('QUEUED', 'RUNNING')"
    )
    op.execute(_ERROR)
