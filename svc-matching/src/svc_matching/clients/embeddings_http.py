"""An embedder behind an address of the OpenAI kind (`POST …/embeddings`).

text-embeddings-inference, vLLM, Ollama, llama.cpp and most hosted models answer there.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import httpx
import numpy as np
from pydantic import BaseModel, ValidationError

from svc_matching.engine.embedding import EmbedderError, Matrix, TextKind, TextRefusedError

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_BYTES_A_NUMBER = 40
_BYTES_BESIDE = 65_536
_SAID = 300
"""Characters of an error's body that are shown."""

_REFUSED = frozenset({400, 413, 422})
"""The server takes a text for too long or unreadable."""
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_BROKEN = 500
"""Some servers break on single texts, and not only while they are unwell."""


class _Row(BaseModel):
    index: int
    embedding: list[float | None]


class _Answer(BaseModel):
    data: list[_Row]


class HttpEmbedder:
    """Asks one model; `url` is the whole address. Texts get the prefix that their kind needs.

    `version` is the operator's own: to be changed when the model behind the name changes.
    """

    def __init__(
        self,
        url: str,
        model: str,
        dimensions: int,
        *,
        key: str = "",
        version: str = "1",
        prefixes: tuple[str, str] = ("", ""),
        timeout_seconds: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = model
        self.version = version
        if any(prefixes):
            self.version += "+" + sha256("\0".join(prefixes).encode()).hexdigest()[:8]
        self.dimensions = dimensions
        self._url = url
        # Some take a key in their address; what is told and logged shows none.
        self._shown = str(httpx.URL(url).copy_with(userinfo=b"", query=None))
        self._prefixes = dict(zip(TextKind, prefixes, strict=True))
        self._timeout_seconds = timeout_seconds
        # Only the address that was given is asked: no redirects, no proxies of the environment.
        self._client = httpx.AsyncClient(
            timeout=timeout_seconds,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            follow_redirects=False,
            trust_env=False,
            transport=transport,
        )

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return a row for each text; tries again a few times within the time limit."""
        body = {
            "model": self.name,
            "input": [self._prefixes[kind] + text for text in texts],
            "encoding_format": "float",
        }
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._ask(body, len(texts))
        except TimeoutError as error:
            raise self._fault(f"no answer within {self._timeout_seconds:g} s") from error
        return self._rows(answer, len(texts))

    async def _ask(self, body: dict[str, Any], count: int) -> bytes:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status, after, answer = await self._post(body, count)
            except httpx.TimeoutException as error:
                raise self._fault(f"no answer within {self._timeout_seconds:g} s") from error
            except httpx.HTTPError as error:
                status, after, answer = 0, None, f"{type(error).__name__}: {error}".encode()
            if status == httpx.codes.OK:
                return answer
            said = answer[:_SAID].decode(errors="replace")
            last = attempt == _ATTEMPTS
            if status in _REFUSED or (last and status == _BROKEN):
                raise TextRefusedError(self._told(f"{status}: {said}"))
            if last or not (status == 0 or status in _BUSY):
                raise self._fault(f"{status}: {said}" if status else said)
            await asyncio.sleep(_pause(after, attempt))
        raise AssertionError("unreachable")

    async def _post(self, body: dict[str, Any], count: int) -> tuple[int, str | None, bytes]:
        most = _BYTES_BESIDE + count * self.dimensions * _BYTES_A_NUMBER
        async with self._client.stream("POST", self._url, json=body) as response:
            answer = bytearray()
            async for chunk in response.aiter_bytes():
                answer += chunk
                if len(answer) > most:
                    raise self._fault(f"the answer is longer than {most} bytes")
            return response.status_code, response.headers.get("Retry-After"), bytes(answer)

    def _rows(self, answer: bytes, count: int) -> Matrix:
        try:
            rows = _Answer.model_validate_json(answer).data
        except ValidationError as error:
            first = error.errors()[0]
            raise self._fault(f"not an answer with embeddings: {first['msg']}") from error
        found = {row.index: row.embedding for row in rows}
        if len(rows) != count or found.keys() != set(range(count)):
            raise self._fault(f"wanted {count} vectors, got {len(rows)}")
        lengths = {len(row) for row in found.values()}
        if lengths != {self.dimensions}:
            raise self._fault(
                f"wanted {self.dimensions} numbers a vector, got {sorted(lengths)}:"
                " set KETNOI_EMBEDDINGS_DIMENSIONS to what the model gives"
            )
        return np.array([found[place] for place in range(count)], np.float32)

    def _told(self, what: str) -> str:
        return f"{self._shown} ({self.name}): {what}"

    def _fault(self, what: str) -> EmbedderError:
        return EmbedderError(self._told(what))

    async def close(self) -> None:
        await self._client.aclose()


def _pause(retry_after: str | None, attempt: int) -> float:
    if retry_after and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE_SECONDS)
    return float(_PAUSE_SECONDS * 2 ** (attempt - 1))
