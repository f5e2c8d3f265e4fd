"""Postgres: the engine, migrations per schema, idempotent answers."""

from shared.db.database import Database
from shared.db.history import history_table
from shared.db.idempotency import Idempotency, idempotency_table, once

__all__ = ["Database", "Idempotency", "history_table", "idempotency_table", "once"]
