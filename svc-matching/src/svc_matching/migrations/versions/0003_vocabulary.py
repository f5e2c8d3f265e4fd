"""What curators propose and accept, and analyses made beside those in use.

`vocabulary_revision` is the log of what was accepted: the vocabulary of revision n is what ships,
with the newest row up to n of each concept on it. An epoch says which revision it reads with. The
code of before writes epochs without one; they read as what ships.
"""

from alembic import op

from shared.db.migration import create_idempotency_table

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """
    CREATE TABLE vocabulary_proposal (
        id uuid PRIMARY KEY,
        version integer NOT NULL CHECK (version > 0),
        status text NOT NULL
            CHECK (status IN ('PROPOSED', 'ACCEPTED', 'REJECTED', 'WITHDRAWN')),
        owner text NOT NULL,
        proposed_by text NOT NULL,
        proposer_role text NOT NULL,
        concept_id text NOT NULL,
        asked jsonb NOT NULL,
        decided_by text,
        decider_role text,
        decision_reason text,
        vocabulary_version text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX vocabulary_proposal_by_owner ON vocabulary_proposal (owner, status, id)",
    "CREATE INDEX vocabulary_proposal_by_status ON vocabulary_proposal (status, id)",
    """
    CREATE TABLE vocabulary_revision (
        number integer PRIMARY KEY CHECK (number > 0),
        vocabulary_version text NOT NULL,
        concept_id text NOT NULL,
        concept jsonb NOT NULL,
        proposal_id uuid NOT NULL UNIQUE,
        created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX vocabulary_revision_by_concept ON vocabulary_revision (concept_id, number DESC)",
    """
    CREATE TABLE item_next (
        item_id uuid PRIMARY KEY,
        version integer NOT NULL,
        db_epoch integer NOT NULL,
        analyser text NOT NULL,
        analysis bytea
    )
    """,
    """
    ALTER TABLE epoch
        ADD COLUMN vocabulary_version text NOT NULL DEFAULT '',
        ADD COLUMN vocabulary_revision integer NOT NULL DEFAULT 0
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    create_idempotency_table()
