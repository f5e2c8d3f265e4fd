"""The tables of imports, in the schema of each service that takes files."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True, slots=True)
class ImportTables:
    """Jobs with their files, and the rows they refused."""

    job: Table
    error: Table

    @classmethod
    def on(cls, metadata: MetaData) -> Self:
        """Attach the tables to a service's own metadata."""
        return cls(
            job=Table(
                "import_job",
                metadata,
                Column("id", Uuid, primary_key=True),
                Column("tenant", Text, nullable=False),
                Column("caller", JSONB, nullable=False),
                Column("english", Boolean, nullable=False),
                Column("kind", Text, nullable=False),
                Column("file_name", Text, nullable=False),
                Column("file", LargeBinary),
                Column("state", Text, nullable=False),
                Column("total", Integer, nullable=False),
                Column("done", Integer, nullable=False),
                Column("created", Integer, nullable=False),
                Column("updated", Integer, nullable=False),
                Column("unchanged", Integer, nullable=False),
                Column("rejected", Integer, nullable=False),
                Column("detail", Text),
                Column("created_at", DateTime(timezone=True), nullable=False),
                Column("updated_at", DateTime(timezone=True), nullable=False),
            ),
            error=Table(
                "import_error",
                metadata,
                Column("job_id", Uuid, primary_key=True),
                Column("line", Integer, primary_key=True),
                Column("position", SmallInteger, primary_key=True),
                Column("pointer", Text, nullable=False),
                Column("code", Text, nullable=False),
                Column("message", Text, nullable=False),
            ),
        )
