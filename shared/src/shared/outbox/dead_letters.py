"""Events that could not be digested, kept until they can be, or until a person decides.

RETRYING is tried again by itself, five times in all; OPEN waits for a person; REDRIVE is to be
tried once more, by `ketnoi dlq redrive`; REDRIVEN and DISCARDED are done and kept for the record.
The broker holds none of them: a poisoned event never stands in its neighbours' way.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import and_, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.expression import ColumnElement, cast

from shared.contracts.events import Event
from shared.nats import Delivery
from shared.outbox.tables import MessagingTables

MAX_ATTEMPTS = 5
RETRY_SECONDS = (1.0, 5.0, 30.0, 120.0)
"""How long after the first, second … failure the next attempt is made."""
ERROR_LENGTH = 4000
LENT_SECONDS = 10.0
"""How long an attempt is waited for: one that ended with its process is made again after that."""
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One kept event, about to be tried again."""

    message_id: str
    headers: dict[str, str]
    data: bytes
    attempts: int
    state: str

    def event(self) -> Event:
        return Event.from_message(self.headers, self.data)


class DeadLetters:
    """The dead letters of one consumer."""

    def __init__(self, tables: MessagingTables, consumer: str) -> None:
        self._table = tables.dead_letter
        self._consumer = consumer
        self._own = self._table.c.consumer == consumer

    async def keep(
        self,
        connection: AsyncConnection,
        delivery: Delivery,
        message_id: str,
        error: str,
        *,
        attempts: int,
        now: datetime,
    ) -> str:
        """Write what the broker need not deliver again; return its state.

        What waits for a person, or was discarded by one, stays so when the event comes again.
        """
        table = self._table
        statement = insert(table).values(
            consumer=self._consumer,
            message_id=message_id,
            subject=delivery.subject,
            headers=json.dumps(delivery.headers or {}),
            data=delivery.data,
            error=_fitting(error),
            attempts=attempts,
            state="OPEN" if attempts >= MAX_ATTEMPTS else "RETRYING",
            next_attempt_at=_next(attempts, now),
        )
        given = statement.excluded
        again = table.c.state == "REDRIVEN"
        statement = statement.on_conflict_do_update(
            index_elements=[table.c.consumer, table.c.message_id],
            set_={
                "attempts": case((again, given.attempts), else_=table.c.attempts),
                "state": case((again, given.state), else_=table.c.state),
                "next_attempt_at": case(
                    (again, given.next_attempt_at), else_=table.c.next_attempt_at
                ),
                "error": given.error,
                "last_seen_at": func.now(),
            },
        )
        return str(await connection.scalar(statement.returning(table.c.state)))

    async def claim_due(self, connection: AsyncConnection, now: datetime) -> DeadLetter | None:
        """Return one that is to be tried now, its attempt counted before it is made.

        Until it is heard of again it is lent out. A loan that nobody gave back ended the process
        that had it: a redriven event then waits for a person, as does one at its last attempt.
        One at a time: those that only wait beside it are not to blame for the end of a process.
        """
        columns = self._table.c
        chosen = await connection.execute(
            select(columns.message_id, columns.attempts, columns.state, columns.next_attempt_at)
            .where(self._own, self._is_due(now))
            .order_by(columns.number)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = chosen.one_or_none()
        if row is None:
            return None
        lost = row.state == "REDRIVE" and row.next_attempt_at is not None
        over = row.state == "RETRYING" and row.attempts >= MAX_ATTEMPTS
        values: dict[str, object] = {"state": "OPEN", "next_attempt_at": None}
        if not (lost or over):
            until = now + timedelta(seconds=LENT_SECONDS)
            values = {"attempts": row.attempts + 1, "next_attempt_at": until}
        changed = update(self._table).where(self._own, columns.message_id == row.message_id)
        found = await connection.execute(
            changed.values(values).returning(columns.headers, columns.data)
        )
        kept = found.one()
        if lost or over:
            return None
        return DeadLetter(
            message_id=row.message_id,
            headers=json.loads(kept.headers),
            data=kept.data,
            attempts=row.attempts + 1,
            state=row.state,
        )

    def _is_due(self, now: datetime) -> ColumnElement[bool]:
        columns = self._table.c
        asked_for = and_(columns.state == "REDRIVE", columns.next_attempt_at.is_(None))
        its_time = and_(columns.state.in_(("RETRYING", "REDRIVE")), columns.next_attempt_at <= now)
        return or_(asked_for, its_time)

    async def settle(self, connection: AsyncConnection, letter: DeadLetter, now: datetime) -> None:
        """Note, in the transaction of the effect, that the event has been digested."""
        columns = self._table.c
        mine = and_(self._own, columns.message_id == letter.message_id)
        if letter.state == "RETRYING":
            await connection.execute(delete(self._table).where(mine))
            return
        await connection.execute(
            update(self._table)
            .where(mine)
            .values(
                state="REDRIVEN",
                next_attempt_at=None,
                history=self._with("redriven", now),
                last_seen_at=now,
            )
        )

    async def note_failure(
        self, connection: AsyncConnection, letter: DeadLetter, error: str, now: datetime
    ) -> None:
        """Say when it is tried again; after the last attempt, or a redrive, a person decides."""
        columns = self._table.c
        over = letter.state == "REDRIVE" or letter.attempts >= MAX_ATTEMPTS
        values: dict[str, object] = {
            "state": "OPEN" if over else "RETRYING",
            "next_attempt_at": None if over else _next(letter.attempts, now),
            "error": _fitting(error),
            "last_seen_at": now,
        }
        if letter.state == "REDRIVE":
            values["history"] = self._with("failed again", now)
        await connection.execute(
            update(self._table)
            .where(self._own, columns.message_id == letter.message_id)
            .values(values)
        )

    def _with(self, what: str, now: datetime) -> ColumnElement[object]:
        entry = {"at": now.isoformat(), "by": self._consumer, "what": what}
        return self._table.c.history + cast([entry], JSONB)

    async def next_due(self, connection: AsyncConnection) -> datetime | None:
        """Return when the next attempt is due; a redrive has been so for ever."""
        columns = self._table.c
        found: datetime | None = await connection.scalar(
            select(func.min(func.coalesce(columns.next_attempt_at, LONG_AGO))).where(
                self._own, columns.state.in_(("RETRYING", "REDRIVE"))
            )
        )
        return found

    async def count_open(self, connection: AsyncConnection) -> int:
        """Return how many wait for a person."""
        found = await connection.scalar(
            select(func.count())
            .select_from(self._table)
            .where(self._own, self._table.c.state == "OPEN")
        )
        return int(found or 0)


def _next(attempts: int, now: datetime) -> datetime | None:
    if attempts >= MAX_ATTEMPTS:
        return None
    return now + timedelta(seconds=RETRY_SECONDS[attempts - 1] if attempts else 0)


def described(error: Exception) -> str:
    """Say what is wrong and where; never what was written there."""
    if isinstance(error, ValidationError):
        found = error.errors(include_input=False, include_url=False, include_context=False)
        places = [f"{'/'.join(map(str, entry['loc']))}: {entry['type']}" for entry in found[:5]]
        return f"{error.title}: {'; '.join(places)}"
    return repr(error)


def _fitting(error: str) -> str:
    return error.replace("\x00", "�")[:ERROR_LENGTH]
