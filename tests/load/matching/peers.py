"""The peers in a process: the same documents, and of each demand its own words alone.

They find the best hundred by terms, and no more: no gates, no other languages, no arithmetic.
"""

from collections.abc import Sequence
from tempfile import TemporaryDirectory

import bm25s
import numpy as np
import tantivy
from scipy import sparse

from load.matching.timing import Figures, each, milliseconds, timed
from svc_matching.engine.vectors import QueryVector

TOP = 100
Rows = Sequence[tuple[np.ndarray, np.ndarray]]
"""Term ids and impacts of each document."""


def scipy_csc(rows: Rows, queries: Sequence[QueryVector]) -> Figures:
    """Our impacts in compressed columns, exactly; the best hundred by partition."""

    def build() -> sparse.csr_array:
        starts = np.zeros(len(rows) + 1, np.int32)
        np.cumsum([len(ids) for ids, _ in rows], out=starts[1:])
        ids = np.concatenate([ids for ids, _ in rows])
        values = np.concatenate([values for _, values in rows]).astype(np.int32)
        width = 1 + max(int(ids.max()), *(int(query.ids.max()) for query in queries))
        by_document = sparse.csr_array((values, ids, starts), shape=(len(rows), width))
        columns = by_document.tocsc()
        shape = (width, len(rows))
        return sparse.csr_array((columns.data, columns.indices, columns.indptr), shape=shape)

    matrix, built = timed(build)

    def search(query: QueryVector) -> None:
        left = sparse.csr_array(
            (query.weights, query.ids, np.array([0, len(query.ids)], np.int32)),
            shape=(1, matrix.shape[0]),
        )
        scores = (left @ matrix).toarray()[0]
        np.argpartition(scores, -min(TOP, len(rows)))[-TOP:]

    return {"search": milliseconds(each(search, queries)), "build_s": round(built[0], 2)}


def tantivy_index(rows: Rows, queries: Sequence[QueryVector]) -> Figures:
    """Term frequencies stand for impacts; its own idf comes on top of our weights."""
    schema = tantivy.SchemaBuilder().add_text_field(
        "body", stored=False, tokenizer_name="whitespace", index_option="freq"
    )
    schema = schema.add_integer_field("id", stored=False, indexed=False, fast=True).build()
    with TemporaryDirectory() as folder:
        index = tantivy.Index(schema, path=folder)

        def build() -> None:
            writer = index.writer(heap_size=200_000_000, num_threads=1)
            for number, (ids, values) in enumerate(rows):
                writer.add_document(tantivy.Document(id=number, body=words(ids, values)))
            writer.commit()
            writer.wait_merging_threads()
            index.reload()

        _, built = timed(build)
        searcher = index.searcher()

        def search(query: QueryVector) -> None:
            asked = [
                (tantivy.Occur.Should, tantivy.Query.boost_query(term, float(weight)))
                for number, weight in zip(query.ids.tolist(), query.weights.tolist(), strict=True)
                for term in (tantivy.Query.term_query(schema, "body", f"t{number}", "freq"),)
            ]
            searcher.search(tantivy.Query.boolean_query(asked), TOP, count=False)

        return {"search": milliseconds(each(search, queries)), "build_s": round(built[0], 2)}


def bm25s_index(rows: Rows, queries: Sequence[QueryVector]) -> Figures:
    """Tokens are term ids; its own weights."""
    index = bm25s.BM25(backend="numba")
    documents = [repeated(ids, values) for ids, values in rows]
    _, built = timed(lambda: index.index(documents, show_progress=False))
    known = set().union(*documents)

    def search(query: QueryVector) -> None:
        asked = [term for term in (f"t{number}" for number in query.ids.tolist()) if term in known]
        index.retrieve([asked], k=min(TOP, len(rows)), show_progress=False, n_threads=1)

    return {"search": milliseconds(each(search, queries)), "build_s": round(built[0], 2)}


def repeated(ids: np.ndarray, values: np.ndarray) -> list[str]:
    """Return each term as often as its impact says, one to four times."""
    times = np.clip(values // 128, 1, 4)
    return [f"t{number}" for number in np.repeat(ids, times).tolist()]


def words(ids: np.ndarray, values: np.ndarray) -> str:
    return " ".join(repeated(ids, values))
