"""`ketnoi dlq`: events that a service could not digest; look at them, try again, or let go.

The command only marks rows. The service itself tries a marked event again, through the same
handler and with the same event id, so that it has its effect once whatever was done before.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from rich.console import Console
from rich.table import Table

from ketnoi.environment import Environment
from ketnoi.errors import UsageError
from ketnoi.operator.servers import MESSAGING, admin_url, administrator, services_named, whoever

UNSETTLED = ("RETRYING", "OPEN", "REDRIVE")
STATES = (*UNSETTLED, "REDRIVEN", "DISCARDED")
WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.25
_SHOWN_ERROR = 100

_LIST = """
SELECT number, consumer, state, attempts, last_seen_at, subject, left(error, {width}) AS error
FROM {schema}.dead_letter
WHERE state = ANY($1) AND ($2::text IS NULL OR consumer = $2) ORDER BY number
"""
_MARK = """
UPDATE {schema}.dead_letter SET state = $1, next_attempt_at = NULL,
    history = history || jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'at', now(), 'by', $2::text, 'what', $3::text, 'reason', $4::text)))
WHERE state = ANY($5) AND ($6::bigint IS NULL OR number = $6)
    AND ($7::text IS NULL OR consumer = $7)
RETURNING number
"""

Connection = asyncpg.Connection


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter's name: the schema it lies in and its number there (`reporting-12`)."""

    schema: str
    number: int

    @classmethod
    def named(cls, text: str) -> "Letter":
        schema, _, number = text.rpartition("-")
        if not number.isdecimal() or schema not in {service.schema for service in MESSAGING}:
            raise UsageError(f"'{text}' is no dead letter's id; `ketnoi dlq list` shows them.")
        return cls(schema, int(number))

    def __str__(self) -> str:
        return f"{self.schema}-{self.number}"


def list_letters(
    environment: Environment, *, service: str | None, consumer: str | None, state: str | None
) -> None:
    """Print what waits, or what is in one state."""
    states = _states(state)
    schemas = [found.schema for found in services_named(service)]
    asyncio.run(_list(admin_url(environment), schemas, states, consumer))


def _states(state: str | None) -> Sequence[str]:
    if state is None:
        return UNSETTLED
    if state.upper() not in STATES:
        raise UsageError(f"No state '{state}'; there are {', '.join(STATES)}.")
    return (state.upper(),)


async def _list(
    url: str, schemas: Sequence[str], states: Sequence[str], consumer: str | None
) -> None:
    table = Table("id", "consumer", "state", "attempts", "last seen", "subject", "error")
    async with administrator(url) as connection:
        for schema in schemas:
            statement = _LIST.format(schema=schema, width=_SHOWN_ERROR)
            for row in await connection.fetch(statement, states, consumer):
                table.add_row(
                    f"{schema}-{row['number']}",
                    row["consumer"],
                    row["state"],
                    str(row["attempts"]),
                    f"{row['last_seen_at']:%Y-%m-%d %H:%M:%S}",
                    row["subject"],
                    row["error"],
                )
    Console().print(table if table.row_count else "No dead letters.")


def show_letter(environment: Environment, name: str) -> None:
    """Print one dead letter in full, as JSON: headers, body, error, and what was done with it."""
    asyncio.run(_show(admin_url(environment), Letter.named(name)))


async def _show(url: str, letter: Letter) -> None:
    async with administrator(url) as connection:
        row = await connection.fetchrow(
            f"SELECT * FROM {letter.schema}.dead_letter WHERE number = $1", letter.number
        )
    if row is None:
        raise UsageError(f"There is no dead letter {letter}.")
    shown = {"id": str(letter)} | {
        name: value for name, value in dict(row).items() if name not in ("number", "data")
    }
    shown |= {"headers": json.loads(row["headers"]), "history": json.loads(row["history"])}
    shown["data"] = _readable(row["data"])
    Console().print_json(json.dumps(shown, default=str, ensure_ascii=False))


def _readable(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def redrive_letters(
    environment: Environment,
    name: str | None,
    *,
    everything: bool,
    service: str | None,
    consumer: str | None,
) -> None:
    """Have one tried again, or all that are open; wait a little to see what comes of it."""
    if (name is None) != everything:
        raise UsageError("Name one dead letter, or say --all.")
    url = admin_url(environment)
    if name is not None:
        letter = Letter.named(name)
        states = ("OPEN", "RETRYING", "DISCARDED")
        asyncio.run(_redrive(url, [letter.schema], states, letter.number, None))
    else:
        schemas = [found.schema for found in services_named(service)]
        asyncio.run(_redrive(url, schemas, ("OPEN",), None, consumer))


async def _redrive(
    url: str,
    schemas: Sequence[str],
    states: Sequence[str],
    number: int | None,
    consumer: str | None,
) -> None:
    async with administrator(url) as connection:
        marked = [
            letter
            for schema in schemas
            for letter in await _mark(
                connection, schema, "REDRIVE", "redrive", None, states, number, consumer
            )
        ]
        if number is not None and not marked:
            raise UsageError(f"There is no dead letter {schemas[0]}-{number} to try again.")
        states_now = await _settled(connection, marked)
    console = Console()
    for letter in marked:
        state, error = states_now[letter]
        told = {
            "REDRIVEN": "digested",
            "OPEN": f"failed again: {error}",
            "REDRIVE": "waits for its service, which does not run or is busy",
        }
        console.print(f"{letter}: {told.get(state, state)}")
    console.print(f"{len(marked)} tried again." if marked else "No dead letters are open.")


async def _settled(
    connection: Connection, letters: Sequence[Letter]
) -> dict[Letter, tuple[str, str]]:
    """Return state and error of each, once none waits any longer or the time is up."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_SECONDS
    while True:
        found: dict[Letter, tuple[str, str]] = {}
        for schema in {letter.schema for letter in letters}:
            rows = await connection.fetch(
                f"SELECT number, state, left(error, {_SHOWN_ERROR}) AS error"
                f" FROM {schema}.dead_letter WHERE number = ANY($1)",
                [letter.number for letter in letters if letter.schema == schema],
            )
            found |= {Letter(schema, row["number"]): (row["state"], row["error"]) for row in rows}
        waits = any(state == "REDRIVE" for state, _ in found.values())
        if not waits or loop.time() > until:
            return found
        await asyncio.sleep(LOOK_SECONDS)


def discard_letter(environment: Environment, name: str, *, reason: str) -> None:
    """Let one go for good; the row stays, with who did it, when and why."""
    if not reason.strip():
        raise UsageError("Say why, with --reason: it is kept with the event.")
    asyncio.run(_discard(admin_url(environment), Letter.named(name), reason.strip()))


async def _discard(url: str, letter: Letter, reason: str) -> None:
    async with administrator(url) as connection:
        done = await _mark(
            connection, letter.schema, "DISCARDED", "discarded", reason, UNSETTLED, letter.number
        )
    if not done:
        raise UsageError(f"There is no dead letter {letter} that waits.")
    Console().print(f"{letter}: discarded")


async def _mark(
    connection: Connection,
    schema: str,
    state: str,
    what: str,
    reason: str | None,
    states: Sequence[str],
    number: int | None = None,
    consumer: str | None = None,
) -> list[Letter]:
    rows = await connection.fetch(
        _MARK.format(schema=schema), state, whoever(), what, reason, states, number, consumer
    )
    return [Letter(schema, row["number"]) for row in rows]
