"""Capacity prices of an epoch, and since when the epoch has them; other supplies cost nothing."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE epoch ADD COLUMN priced_at timestamptz")
    op.execute(
        """
        CREATE TABLE price (
            index_epoch integer NOT NULL,
            supply_id uuid NOT NULL,
            price integer NOT NULL CHECK (price BETWEEN 1 AND 1000000),
            PRIMARY KEY (index_epoch, supply_id)
        )
        """
    )
