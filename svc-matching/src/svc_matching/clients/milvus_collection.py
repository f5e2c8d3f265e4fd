"""The collection of supplies in Milvus: one sparse vector a supply, and the languages it speaks.

Every call ends in time and every failure is one kind of error: pymilvus tries again by itself, but
no longer than the call's time limit.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
from pymilvus import DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from shared.kernel.errors import UnavailableError
from shared.telemetry import get_logger

log = get_logger("milvus")
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs a trace for every attempt

NAME = "ketnoi_supplies_1"
"""Ends with the version of its schema: another schema is another collection, filled anew."""
CALL_SECONDS = 5.0
PROBE_SECONDS = 0.4
MAX_COUNT = 16_384
"""The most that Milvus returns for one query."""
_AT_ONCE = 16
"""Queries in one call: with all they return, far below the 64 MB of a message."""
_PAGE = 5000
_ID_LENGTH = 36
_LANGUAGES, _LANGUAGE_LENGTH = 8, 8

_CHANNEL = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000}
"""A server that is back is found within a second; gRPC by itself waits for up to two minutes."""

SparseVector = Mapping[int, float]


def unavailable(code: str, en: str, vi: str) -> UnavailableError:
    return UnavailableError(code, en, vi, headers={"Retry-After": "1"})


class MilvusCollection:
    """Opened by its first call, and again by the next one after a failure."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._client: MilvusClient | None = None

    def open(self) -> bool:
        """Connect if need be; return whether the collection had to be made, and so is empty."""
        if self._client is not None:
            return False
        with self._translating():
            client = self._client = self._connect(CALL_SECONDS)
            made = not client.has_collection(NAME, timeout=CALL_SECONDS)
            if made:
                self._make(client)
            client.load_collection(NAME, timeout=CALL_SECONDS)
            return made

    def _connect(self, seconds: float) -> MilvusClient:
        return MilvusClient(self._uri, timeout=seconds, dedicated=True, grpc_options=_CHANNEL)

    @staticmethod
    def _make(client: MilvusClient) -> None:
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, max_length=_ID_LENGTH, is_primary=True)
        schema.add_field("digest", DataType.INT64)
        schema.add_field(
            "languages",
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=_LANGUAGES,
            max_length=_LANGUAGE_LENGTH,
        )
        schema.add_field("terms", DataType.SPARSE_FLOAT_VECTOR)
        index = client.prepare_index_params()
        index.add_index("terms", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        client.create_collection(
            NAME,
            schema=schema,
            index_params=index,
            consistency_level="Session",  # whoever wrote a supply finds it
            timeout=CALL_SECONDS,
        )

    def digests(self) -> dict[UUID, int]:
        """Return the digest of every supply that Milvus holds."""
        held: dict[UUID, int] = {}
        with self._calling() as client:
            pages = client.query_iterator(
                NAME, batch_size=_PAGE, output_fields=["id", "digest"], timeout=CALL_SECONDS
            )
            while page := pages.next():
                held.update((UUID(row["id"]), row["digest"]) for row in page)
            pages.close()
        return held

    def upsert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write whole supplies: id, digest, languages, terms."""
        if rows:
            with self._calling() as client:
                client.upsert(NAME, list(rows), timeout=CALL_SECONDS)

    def delete(self, ids: Collection[UUID]) -> None:
        """Remove supplies; unknown ones are no error."""
        if ids:
            with self._calling() as client:
                client.delete(NAME, ids=[str(each) for each in ids], timeout=CALL_SECONDS)

    def search(
        self, vectors: Sequence[SparseVector], count: int, languages: Collection[str] = ()
    ) -> list[list[UUID]]:
        """Return for each vector the supplies of the largest products, most first.

        With `languages` only supplies that speak one of them are looked at.
        """
        names = ", ".join(f'"{each}"' for each in sorted(languages))
        asked = {
            "filter": f"ARRAY_CONTAINS_ANY(languages, [{names}])" if names else "",
            "limit": min(count, MAX_COUNT),
            "anns_field": "terms",
            "search_params": {"metric_type": "IP"},
            "output_fields": ["id"],
            "timeout": CALL_SECONDS,
        }
        found: list[list[UUID]] = []
        with self._calling() as client:
            for start in range(0, len(vectors), _AT_ONCE):
                answer = client.search(NAME, list(vectors[start : start + _AT_ONCE]), **asked)
                found += [[UUID(hit["id"]) for hit in hits] for hits in answer]
        return found

    def probe(self) -> None:
        """Ask for a sign of life, beside whatever else is under way; RuntimeError without one."""
        try:
            client = self._connect(PROBE_SECONDS)
            try:
                client.get_server_version(timeout=PROBE_SECONDS)
            finally:
                client.close()
        except (MilvusException, grpc.RpcError) as error:
            raise RuntimeError(str(error)) from error

    def close(self) -> None:
        """Let the connection go; a later call opens another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @contextmanager
    def _calling(self) -> Iterator[MilvusClient]:
        self.open()
        with self._translating():
            yield self._client

    @contextmanager
    def _translating(self) -> Iterator[None]:
        """Turn every failure into one error, and let the next call connect anew."""
        try:
            yield
        except (MilvusException, grpc.RpcError) as error:
            self.close()
            log.warning("milvus_failed", error=str(error)[:500])
            raise unavailable(
                "candidates_unavailable",
                "Milvus, which finds the candidates, does not answer; try again shortly.",
                "Milvus, nơi tìm các nguồn cung tiềm năng, không trả lời; hãy thử lại sau.",
            ) from error
