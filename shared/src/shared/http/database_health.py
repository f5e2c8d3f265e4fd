"""What ails a service's database, told apart by the server's own error codes (SQLSTATE)."""

import asyncio
import re
import time
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.db import Database
from shared.http.metrics import CLOCK_SKEW, POOL_IN_USE, POOL_SIZE, Reading
from shared.kernel.clock import Clock, utc_now
from shared.kernel.health import Check

ANSWER_SECONDS = 0.4
"""Less than a check may take, so that a silence is told from a check that failed."""
SKEW_SECONDS = 5.0
WRITE_FAULT_SECONDS = 10.0
"""A refused write counts as present for so long after it was last seen; writers try more often."""

_CODES = {
    "28P01": "database_wrong_password",
    "28000": "database_wrong_password",
    "53100": "database_disk_full",
    "53300": "database_no_connections",
    "25006": "database_read_only",
    "3D000": "database_missing",
    "3F000": "database_missing",
    "42501": "database_no_rights",
    "57P01": "database_starting",
    "57P02": "database_starting",
    "57P03": "database_starting",
}
_WRITE_FAULTS = frozenset({"53100", "25006"})
_PROBE = text(
    "SELECT now(), pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool"
)
_REVISION = re.compile(r'^(down_)?revision(?:: [^=]+)? = "([^"]+)"', re.MULTILINE)


def sqlstate_of(error: BaseException) -> str:
    """Return the server's code, whichever library carries the error."""
    for found in (getattr(error, "orig", None), error):
        if state := getattr(found, "sqlstate", None):
            return str(state)
    return ""


class DatabaseHealth:
    """Looks at one service's database; `note` is told of faults that others met."""

    def __init__(self, database: Database, package: str, clock: Clock = utc_now) -> None:
        self._database = database
        self._package = package
        self._clock = clock
        self._skew: float | None = None
        self._refused = ""
        self._refused_at = 0.0

    def note(self, error: BaseException) -> None:
        """Remember that a write was refused: reading goes on then, so a look would not show it."""
        state = sqlstate_of(error)
        if state in _WRITE_FAULTS:
            self._refused, self._refused_at = state, time.monotonic()

    async def check(self) -> Check:
        """Ask the server; say what its silence or its refusal means."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                read_only = await self._ask()
        except (TimeoutError, PoolTimeoutError):
            if self._database.in_use >= self._most():
                return Check("fail", "pool_exhausted", self._database.in_use, "connections")
            return Check("fail", "database_silent", output=f"no answer in {ANSWER_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            return _refusal(error)
        if read_only:
            return Check("fail", "database_read_only")
        if time.monotonic() - self._refused_at < WRITE_FAULT_SECONDS and self._refused:
            return Check("fail", _CODES[self._refused], output=f"SQLSTATE {self._refused}")
        return Check("pass", observed=self._database.in_use, unit="connections in use")

    async def _ask(self) -> bool:
        async with self._database.read() as connection:
            before = self._clock()
            theirs, read_only = (await connection.execute(_PROBE)).one()
            ours = before + (self._clock() - before) / 2
        self._skew = (ours - theirs).total_seconds()
        return bool(read_only)

    async def clock_check(self) -> Check:
        """Compare this process's clock with the server's, as the last look found it."""
        skew = round(self._skew or 0.0, 1)
        if abs(skew) <= SKEW_SECONDS:
            return Check("pass", observed=skew, unit="s")
        return Check("warn", "clock_skew", skew, "s", output="this process against PostgreSQL")

    async def migrations(self) -> Check:
        """Compare the schema's version with the newest that this software knows."""
        known, head = _revisions(self._package)
        async with self._database.read() as connection:
            there = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        # A version unknown here is newer than this software: expanded for the next release.
        if there == head or (there is not None and there not in known):
            return Check("pass", observed=there)
        return Check("fail", "migrations_pending", there, output=f"{there} is there, not {head}")

    async def collect(self, reading: Reading) -> None:
        reading.put(POOL_IN_USE, self._database.in_use)
        reading.put(POOL_SIZE, self._most())
        if self._skew is not None:
            reading.put(CLOCK_SKEW, self._skew, "postgres")

    def _most(self) -> int:
        pool = self._database.engine.pool
        return int(getattr(pool, "size", int)()) + int(getattr(pool, "_max_overflow", 0))


def _refusal(error: Exception) -> Check:
    state = sqlstate_of(error)
    said = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    if state:
        return Check("fail", _CODES.get(state, "database_error"), output=f"SQLSTATE {state} {said}")
    if isinstance(error, OSError) or "connection" in said.lower():
        return Check("fail", "database_unreachable", output=said)
    return Check("fail", "database_error", output=said)


def _revisions(package: str) -> tuple[set[str], str | None]:
    """Read the migrations' own headers; importing Alembic for that would cost 10 MB a process."""
    known: set[str] = set()
    older: set[str] = set()
    for file in files(package).joinpath("migrations").joinpath("versions").iterdir():
        if file.name.endswith(".py"):
            for down, revision in _REVISION.findall(file.read_text(encoding="utf-8")):
                (older if down else known).add(revision)
    heads = sorted(known - older)
    return known, heads[-1] if heads else None
