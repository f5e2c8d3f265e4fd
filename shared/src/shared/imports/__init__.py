"""Imports of whole files: a job that survives a restart, and an account of every refused row."""

from shared.imports.jobs import Imports
from shared.imports.rows import Importer, Outcome, distinct_runs
from shared.imports.tables import ImportTables

__all__ = ["ImportTables", "Importer", "Imports", "Outcome", "distinct_runs"]
