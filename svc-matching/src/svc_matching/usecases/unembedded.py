"""Have embeddings made of what has none, beside the events and never in their way."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from shared.db.database import is_passing
from shared.telemetry import get_logger
from svc_matching.domain.items import ItemKind
from svc_matching.engine.embedding import EmbedderError, TextKind
from svc_matching.engine.engine import Engine
from svc_matching.storage import embeddings as stored
from svc_matching.storage.embeddings import Unembedded
from svc_matching.usecases.index_rows import read_profile
from svc_matching.usecases.items import follow_supplies
from svc_matching.usecases.lists import rank_lists
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.transactions import MatchingTransactions

log = get_logger("unembedded")

BATCH = 32
LOOK_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0

Made = list[tuple[Unembedded, bytes | None]]
_KINDS = {ItemKind.DEMAND: TextKind.QUERY, ItemKind.SUPPLY: TextKind.PASSAGE}


async def keep_embeddings(transactions: MatchingTransactions, stop: asyncio.Event) -> None:
    """Make what is missing until `stop`; an embedder that fails is asked ever more rarely."""
    embeddings, pause = transactions.matcher.embeddings, LOOK_SECONDS
    while not stop.is_set():
        try:
            while await embed_some(transactions) and not stop.is_set():
                pass
            pause = LOOK_SECONDS
        except EmbedderError as error:
            embeddings.fault = str(error)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            log.warning("embedder_down", error=str(error), again_in=pause)
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("embeddings_wait", error=repr(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def embed_some(transactions: MatchingTransactions) -> int:
    """Have a batch embedded and keep it; return how many were looked at.

    While the epoch looks at this embedder's embeddings, lists follow at once, as if the items had
    come again; until then the embeddings only wait for the epoch that will.
    """
    matcher = transactions.matcher
    embeddings = matcher.embeddings
    if not matcher.loaded or embeddings.identity is None:
        return 0
    taken, finished = embeddings.take(BATCH), set[UUID]()
    try:
        if taken:
            async with transactions.read() as connection:
                rows = await stored.read_unembedded(connection, taken, embeddings.identity)
            made = await _make(matcher, [row for row in rows if matcher.engine.holds(row.id)])
            kept = await _keep(transactions, embeddings.identity, made)
            finished = set(taken).difference(row.id for row, _ in made) | kept
    finally:
        embeddings.put_back(taken, finished)
    return len(taken)


async def _make(matcher: Matcher, rows: Sequence[Unembedded]) -> Made:
    made: Made = []
    for item_kind, text_kind in _KINDS.items():
        some = [row for row in rows if row.kind is item_kind]
        texts = [matcher.embeddings.text(read_profile(row.kind, row.profile)) for row in some]
        made += zip(some, await matcher.embeddings.make(texts, text_kind), strict=True)
    if made:
        matcher.embeddings.fault = None
    return made


async def _keep(transactions: MatchingTransactions, embedder: str, made: Made) -> set[UUID]:
    if not made:
        return set()
    matcher = transactions.matcher
    async with transactions.begin() as work:
        kept = await stored.write(work.connection, embedder, made)
        if matcher.engine.embedder == embedder:
            fresh = {row: each for row, each in made if row.id in kept and each is not None}
            new = {row.id: each for row, each in fresh.items()}
            sides = {kind: [row.id for row in fresh if row.kind is kind] for kind in _KINDS}
            matcher.doubt(new)
            concerned, opened = await matcher.run(_place, matcher.engine, new, sides)
            await rank_lists(work, matcher, opened)
            supplies = sides[ItemKind.SUPPLY]
            await follow_supplies(work, matcher, concerned, frozenset(supplies), supplies)
    return kept


def _place(
    engine: Engine, new: Mapping[UUID, bytes], sides: Mapping[ItemKind, Sequence[UUID]]
) -> tuple[dict[UUID, set[UUID]], list[UUID]]:
    """Give the items their embeddings; return whom the supplies concern, and the open demands."""
    engine.embed(new)
    opened = [found for found in sides[ItemKind.DEMAND] if engine.holds(found)]
    return engine.concerned(sides[ItemKind.SUPPLY]), opened
