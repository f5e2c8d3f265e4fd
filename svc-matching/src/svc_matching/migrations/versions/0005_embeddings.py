"""Where an item's embedding is kept, who made it, and whose embeddings an epoch looks at.

All are empty without an embedder, and where the code of before still writes: a replaced row then
keeps an embedding of its former text until its next version.
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE item ADD COLUMN embedding bytea, ADD COLUMN embedder text")
    op.execute("ALTER TABLE epoch ADD COLUMN embedder text")
