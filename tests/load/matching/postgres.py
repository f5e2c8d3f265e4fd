"""The peers in the project's own Postgres: ts_rank, and pgvector's sparse vectors."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from pgvector import SparseVector
from pgvector.asyncpg import register_vector

from ketnoi.local import embedded_servers
from load.matching.peers import TOP, Rows, words
from load.matching.timing import Figures, milliseconds
from svc_matching.engine.vectors import QueryVector

QUERIES = 20
"""A query by ts_rank takes as long as all others together."""
_STATEMENTS = """
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE supply (id int PRIMARY KEY, terms tsvector, impacts sparsevec);
"""
_RANKED = """
SELECT id FROM supply, to_tsquery('simple', $1) AS asked WHERE terms @@ asked
ORDER BY ts_rank(terms, asked) DESC LIMIT $2
"""


def postgres(rows: Rows, queries: Sequence[QueryVector]) -> dict[str, Figures]:
    with TemporaryDirectory(prefix="ketnoi-bench-") as folder:
        Path(folder).chmod(0o711)
        return asyncio.run(_measure(Path(folder), rows, queries[:QUERIES]))


async def _measure(folder: Path, rows: Rows, queries: Sequence[QueryVector]) -> dict[str, Figures]:
    width = 1 + max(int(ids.max()) for ids, _ in rows if len(ids))
    async with embedded_servers(folder, migrations=False, streams=False) as servers:
        connection = await asyncpg.connect(servers.admin_database_url)
        await connection.execute(_STATEMENTS)
        await register_vector(connection)
        loop = asyncio.get_running_loop()
        started = loop.time()
        await connection.executemany(
            "INSERT INTO supply VALUES ($1, to_tsvector('simple', $2), $3)",
            [
                (number, words(ids, values), _vector(ids, values, width))
                for number, (ids, values) in enumerate(rows)
            ],
        )
        await connection.execute("CREATE INDEX ON supply USING gin (terms)")
        await connection.execute("VACUUM ANALYZE supply")
        built = round(loop.time() - started, 2)
        ranked, nearest = [], []
        for query in queries:
            asked = " | ".join(f"t{number}" for number in query.ids.tolist())
            started = loop.time()
            await connection.fetch(_RANKED, asked, TOP)
            ranked.append(loop.time() - started)
            inside = query.ids < width
            vector = _vector(query.ids[inside], query.weights[inside], width)
            started = loop.time()
            await connection.fetch(
                "SELECT id FROM supply ORDER BY impacts <#> $1 LIMIT $2", vector, TOP
            )
            nearest.append(loop.time() - started)
        await connection.close()
    return {
        "postgres ts_rank, GIN": {"search": milliseconds(ranked), "build_s": built},
        "pgvector sparsevec, exact": {"search": milliseconds(nearest), "build_s": built},
    }


def _vector(ids: Sequence[int], values: Sequence[int], width: int) -> SparseVector:
    pairs = zip(map(int, ids), map(float, values), strict=True)
    return SparseVector(dict(pairs), width)
