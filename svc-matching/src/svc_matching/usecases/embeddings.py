"""Whose embeddings count, what still waits for one, and how the embedder is."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from shared.kernel.health import Check
from shared.telemetry import get_logger
from svc_matching.domain.embeddings import text_of
from svc_matching.engine.embedding import (
    Embedder,
    EmbedderError,
    TextKind,
    TextRefusedError,
    identity_of,
    pack_embeddings,
)

log = get_logger("embeddings")

TEXT_CHARACTERS = 2000
AT_ONCE_SECONDS = 1.0
_PLAIN = "tea"
"""A text that every embedder knows what to do with."""


class Embeddings:
    """The embedder, if one is configured. In memory only: the tables say what is missing."""

    def __init__(
        self, embedder: Embedder | None = None, *, text_characters: int = TEXT_CHARACTERS
    ) -> None:
        self.embedder = embedder
        self.identity = None if embedder is None else f"{identity_of(embedder)}:{text_characters}"
        self.waiting: dict[UUID, None] = {}
        self.fault: str | None = None
        self._in_hand: set[UUID] = set()
        self._text_characters = text_characters

    def note(self, ids: Iterable[UUID]) -> None:
        """Let items wait for their embeddings, if there is an embedder to make them."""
        if self.identity is not None:
            self.waiting.update(dict.fromkeys(ids))

    def take(self, count: int) -> list[UUID]:
        """Return some that wait; they are in hand until `put_back`."""
        taken = list(islice(self.waiting, count))
        for item_id in taken:
            del self.waiting[item_id]
        self._in_hand.update(taken)
        return taken

    def put_back(self, taken: Iterable[UUID], finished: Iterable[UUID]) -> None:
        """Let those wait again that are not finished."""
        self._in_hand.difference_update(taken)
        self.waiting.update(dict.fromkeys(set(taken).difference(finished)))

    def due(self, used: str | None) -> str | None:
        """Return whose embeddings the next epoch is to look at.

        Ours when it did so before or everything has one; nobody's until then, for two embedders
        must never meet.
        """
        if self.identity == used or not (self.waiting or self._in_hand):
            return self.identity
        return None

    def text(self, profile: DemandProfile | SupplyProfile) -> str:
        return text_of(profile, self._text_characters)

    async def make(self, texts: Sequence[str], kind: TextKind) -> list[bytes | None]:
        """Return each text's embedding, None where the embedder gives none of this very text.

        EmbedderError when it gives none of any text.
        """
        if self.embedder is None or not texts:
            return []
        try:
            answer = await self.embedder.embed(texts, kind)
            return [*pack_embeddings(answer, len(texts), self.embedder.dimensions)]
        except TextRefusedError:
            if len(texts) > 1:
                half = len(texts) // 2
                first = await self.make(texts[:half], kind)
                return first + await self.make(texts[half:], kind)
            if texts[0] == _PLAIN:
                raise
            if await self.make([_PLAIN], kind):
                log.warning("text_refused")  # servers may repeat the text in their refusal
            return [None]

    async def at_once(self, profile: DemandProfile, used: str | None) -> bytes | None:
        """Return a demand's embedding if it counts now and is made in a second."""
        if self.identity is None or self.identity != used or self.fault is not None:
            return None
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS):
                return (await self.make([self.text(profile)], TextKind.QUERY))[0]
        except (EmbedderError, TimeoutError) as error:
            log.warning("preview_without_embedding", error=repr(error))
            return None

    async def check(self) -> Check:
        """Without an embedder's answer everything goes on by the terms."""
        waiting = len(self.waiting) + len(self._in_hand)
        if self.fault is None:
            return Check("pass", observed=waiting, unit="items")
        return Check("warn", "embedder_down", waiting, "items", output=self.fault)

    async def close(self) -> None:
        if self.embedder is not None:
            await self.embedder.close()
