"""Postgres: the engine, migrations per schema, idempotent answers."""

from shared.db.database import Database
from shared.db.idempotency import Idempotency, idempotency_table

__all__ = ["Database", "Idempotency", "idempotency_table"]
