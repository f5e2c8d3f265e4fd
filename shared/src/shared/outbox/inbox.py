"""The inbox row and the effect share a transaction: however often an event comes, one effect."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy import ARRAY, String, Uuid, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from shared.contracts.events import Event
from shared.kernel.faults import crash_point
from shared.outbox.tables import MessagingTables
from shared.outbox.work import Transactions, UnitOfWork
from shared.telemetry import start_trace

Handler = Callable[[UnitOfWork, Sequence[Event]], Awaitable[None]]
"""Makes the effect of a batch inside the given transaction; events may be late or out of order."""


async def take_in(
    transactions: Transactions, consumer: str, handler: Handler, events: Sequence[Event]
) -> None:
    """Handle what this consumer has not seen yet."""
    start_trace(events[0].correlation_id, events[0].traceparent)
    async with transactions.begin() as work:
        await handle_unseen(work, transactions.tables, consumer, handler, events)
        crash_point("consumer_before_commit")


async def handle_unseen(
    work: UnitOfWork,
    tables: MessagingTables,
    consumer: str,
    handler: Handler,
    events: Sequence[Event],
) -> None:
    """Do the same inside a transaction that is open already."""
    seen = await work.connection.execute(
        _note_unseen(tables), {"consumer": consumer, "ids": [event.id for event in events]}
    )
    new = set(seen.scalars())
    fresh: list[Event] = []
    for event in events:
        if event.id in new:
            new.discard(event.id)
            fresh.append(event)
    if fresh:
        work.causation_id = str(fresh[0].id) if len(fresh) == 1 else None
        await handler(work, fresh)


def _note_unseen(tables: MessagingTables) -> ReturningInsert[tuple[object]]:
    inbox = tables.inbox
    return (
        insert(inbox)
        .from_select(
            ["consumer", "event_id"],
            select(
                cast(bindparam("consumer"), String),
                func.unnest(bindparam("ids", type_=ARRAY(Uuid))),
            ),
        )
        .on_conflict_do_nothing()
        .returning(inbox.c.event_id)
    )
