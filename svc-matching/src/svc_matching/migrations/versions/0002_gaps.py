"""When a demand was first published, which gaps are counted by.

The column is empty where the code of before still writes; such a row gets its time with its next
version. What was published before takes the time of its first ranking.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


BACKFILL = """
UPDATE item
SET published_at = coalesce(
    (SELECT min(created_at) FROM match_run WHERE demand_id = item.id), updated_at)
WHERE kind = 'DEMAND' AND status IN ('PUBLISHED', 'ON_HOLD', 'FULFILLED', 'EXPIRED')
"""


def upgrade() -> None:
    op.execute("ALTER TABLE item ADD COLUMN published_at timestamptz")
    op.execute(BACKFILL)
