"""What a messaging schema needs from time to time: partitions ahead, and an end to what is old."""

from sqlalchemy import text

from shared.db import Database
from shared.outbox.tables import INBOX_KEPT_DAYS, OUTBOX_KEPT_DAYS

FORGET_ROWS = 5_000
"""One delete is short, so that nobody waits for it."""

_FORGET = text(
    "DELETE FROM inbox WHERE ctid IN (SELECT ctid FROM inbox"
    " WHERE received_at < now() - make_interval(days => :days) LIMIT :rows)"
)


async def maintain(database: Database) -> None:
    """Make the coming months' partitions, drop what is past keeping, forget old inbox rows."""
    async with database.begin() as connection:
        await connection.execute(text("SELECT maintain_outbox(:days)"), {"days": OUTBOX_KEPT_DAYS})
    while True:
        async with database.begin() as connection:
            done = await connection.execute(_FORGET, {"days": INBOX_KEPT_DAYS, "rows": FORGET_ROWS})
        if done.rowcount < FORGET_ROWS:
            return
