"""The port to whatever turns texts into dense vectors, and what of its answers is kept.

There is none by default. Implementations are in `clients`.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

MOST_DIMENSIONS = 4096
_LARGEST = 127


class TextKind(StrEnum):
    """Which side a text is of: many models read what asks otherwise than what answers."""

    QUERY = "query"
    PASSAGE = "passage"


class EmbedderError(Exception):
    """The embedder cannot be used now; the message says why."""


class TextRefusedError(EmbedderError):
    """It gives no vector for one of these texts; others may do."""


class Embedder(Protocol):
    """Makes dense vectors of texts; two vectors of the same name and version may be compared."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def dimensions(self) -> int: ...

    async def embed(self, texts: Sequence[str], kind: TextKind) -> Matrix:
        """Return a row for each text, within a bounded time; EmbedderError when it cannot."""

    async def close(self) -> None: ...


def identity_of(embedder: Embedder) -> str:
    """Return what must be equal for two vectors to be compared."""
    return f"{embedder.name}@{embedder.version}/{embedder.dimensions}"


def pack_embeddings(answer: Matrix, count: int, dimensions: int) -> list[bytes]:
    """Return each row in whole numbers from -127 to 127, one byte each.

    EmbedderError when the answer has another shape, TextRefusedError when a row is no direction.
    """
    if answer.shape != (count, dimensions):
        raise EmbedderError(
            f"wanted {count} vectors of {dimensions} numbers, got the shape {answer.shape}:"
            " KETNOI_EMBEDDINGS_DIMENSIONS must be what the model gives"
        )
    numbers = answer.astype(np.float64)
    largest = np.abs(numbers).max(axis=1, initial=0.0)
    if not (np.isfinite(largest) & (largest > 0)).all():
        raise TextRefusedError("a vector holds NaN or infinity, or only zeros")
    whole = np.rint(numbers * (_LARGEST / largest)[:, np.newaxis]).astype(np.int8)
    return [row.tobytes() for row in whole]
