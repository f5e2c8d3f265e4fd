"""What gaps are counted by: a demand's first field, first industry and first publication.

Columns of their own, as taking them out of each profile is most of what a count costs. They are
empty where the code of before still writes; such a row is filled by its next version. What was
published before takes the time of its first ranking.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

BACKFILL = """
UPDATE item
SET field = profile->'fields'->>0,
    industry = profile->'industries'->>0,
    published_at = CASE
        WHEN status IN ('PUBLISHED', 'ON_HOLD', 'FULFILLED', 'EXPIRED') THEN coalesce(
            (SELECT min(created_at) FROM match_run WHERE demand_id = item.id), updated_at)
        END
WHERE kind = 'DEMAND'
"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE item ADD COLUMN field text, ADD COLUMN industry text,"
        " ADD COLUMN published_at timestamptz"
    )
    op.execute(BACKFILL)
