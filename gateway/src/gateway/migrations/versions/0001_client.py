"""Clients of the API."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_CLIENT = """
CREATE TABLE client (
    client_id varchar(64) PRIMARY KEY,
    secret_hash text NOT NULL,
    role varchar(16) NOT NULL,
    tenant varchar(64) NOT NULL,
    province varchar(2),
    countries varchar(2)[] NOT NULL DEFAULT '{}',
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
)
"""


def upgrade() -> None:
    op.execute(_CLIENT)
