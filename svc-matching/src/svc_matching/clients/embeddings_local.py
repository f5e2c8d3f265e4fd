"""An embedder in this process: a sentence-transformers model in a folder, never from the network.

Needs the extra `embeddings`. The model is read when it is first needed, in a thread of its own.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svc_matching.engine.embedding import EmbedderError, Matrix, TextKind

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "sentence_transformers"
_SMALL = 1 << 20
_AT_ONCE = 8


class LocalEmbedder:
    """The model in `folder`; what kind of text it reads is told to it by its own prompts."""

    def __init__(self, folder: Path, dimensions: int) -> None:
        if find_spec(PACKAGE) is None:
            raise ValueError(
                "KETNOI_EMBEDDINGS_PATH needs sentence-transformers: install"
                " requirements-embeddings.lock (docs/operators.md)"
            )
        self.name = folder.name
        self.version = version_of(folder)
        self.dimensions = dimensions
        self._folder = folder
        self._model: SentenceTransformer | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return a row for each text. Who stops waiting does not stop the work in hand."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._embed, list(texts), kind)

    def _embed(self, texts: list[str], kind: TextKind) -> Matrix:
        try:
            model = self._model = self._model or _load(self._folder)
            encode = model.encode_query if kind is TextKind.QUERY else model.encode_document
            rows = encode(
                texts, batch_size=_AT_ONCE, show_progress_bar=False, convert_to_numpy=True
            )
        except Exception as error:
            raise EmbedderError(f"{self._folder}: {type(error).__name__}: {error}") from error
        return np.asarray(rows, np.float32)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _load(folder: Path) -> "SentenceTransformer":
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        str(folder), device="cpu", local_files_only=True, trust_remote_code=False
    )


def version_of(folder: Path) -> str:
    """Return a short digest of the folder: its settings to the letter, its weights by their size.

    Weights take long to read, and another model of the same layout would be in another folder.
    """
    digest = sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\0{size}\0".encode())
        if path.suffix == ".json" and size <= _SMALL:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
