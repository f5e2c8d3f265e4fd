"""Tell curators which words of published texts the vocabulary does not know."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.contracts.identity import Caller
from shared.kernel.errors import UnavailableError
from svc_matching.domain.items import ItemKind
from svc_matching.domain.matches import provinces_of, visibilities_of
from svc_matching.domain.proposals import require_curator
from svc_matching.domain.untagged import MAX_TEXTS, SAMPLES, UntaggedPhrase, UntaggedReport
from svc_matching.domain.vocabularies import LANGUAGES, Language
from svc_matching.engine.in_use import vocabulary
from svc_matching.engine.languages import choose_language
from svc_matching.engine.untagged import Tally, phrases_in
from svc_matching.engine.views import plain_text
from svc_matching.storage.untagged import Published, Sight, read_published
from svc_matching.usecases.index_rows import read_profile
from svc_matching.usecases.transactions import MatchingTransactions

BATCH = 50


class UntaggedReports:
    """Makes one report at a time, a few texts at a time: events and requests come between."""

    def __init__(self, transactions: MatchingTransactions) -> None:
        self._transactions = transactions
        self._turn = asyncio.Lock()

    async def report(self, caller: Caller, language: Language | None, limit: int) -> UntaggedReport:
        """Count the phrases of the newest published texts that the caller may see."""
        require_curator(caller)
        if self._turn.locked():
            raise UnavailableError(
                "report_busy",
                "Another such report is being made; try again shortly.",
                "Đang lập một báo cáo như vậy; hãy thử lại sau.",
                headers={"Retry-After": "2"},
            )
        async with self._turn:
            return await self._report(caller, language, limit)

    async def _report(
        self, caller: Caller, language: Language | None, limit: int
    ) -> UntaggedReport:
        sight = Sight(
            visibilities=None if caller.is_operator else visibilities_of(caller),
            owner=caller.tenant,
            provinces=provinces_of(caller),
        )
        async with self._transactions.read() as connection:
            await self._transactions.matcher.read_as_indexed(connection)
        version = vocabulary().version
        tallies = {each: Tally(each) for each in LANGUAGES if language in (None, each)}
        demands = await self._count(ItemKind.DEMAND, sight, language, tallies)
        supplies = await self._count(ItemKind.SUPPLY, sight, language, tallies)
        items = await asyncio.to_thread(_most_frequent, tallies.values(), frozenset(demands), limit)
        return UntaggedReport(items=items, texts_read=len(demands) + len(supplies), version=version)

    async def _count(
        self,
        kind: ItemKind,
        sight: Sight,
        language: Language | None,
        tallies: dict[str, Tally],
    ) -> list[UUID]:
        """Look at the newest texts of a kind; return whose they are."""
        seen: list[UUID] = []
        loop = asyncio.get_running_loop()
        while len(seen) < MAX_TEXTS:
            started = loop.time()
            before = seen[-1] if seen else None
            async with self._transactions.read() as connection:
                texts = await read_published(connection, kind, sight, language, before, BATCH)
            if not texts:
                break
            await asyncio.to_thread(_tally, texts, tallies)
            seen += [each.id for each in texts]
            await asyncio.sleep(loop.time() - started)
        return seen


def _tally(texts: Sequence[Published], tallies: dict[str, Tally]) -> None:
    for each in texts:
        profile = read_profile(each.kind, each.profile)
        text = plain_text(profile)
        spoken = choose_language(text, profile.language)
        if (tally := tallies.get(spoken)) is not None:
            tally.add(each.id, phrases_in(text, spoken))


def _most_frequent(
    tallies: Iterable[Tally], demands: frozenset[UUID], limit: int
) -> list[UntaggedPhrase]:
    found = [
        (-len(ids), tally.language, phrase, ids)
        for tally in tallies
        for phrase, ids in tally.frequent()
    ]
    return [
        UntaggedPhrase(
            phrase=phrase,
            language=Language(language),
            texts=len(ids),
            demands=sum(each in demands for each in ids),
            supplies=sum(each not in demands for each in ids),
            sample_ids=ids[:SAMPLES],
        )
        for _, language, phrase, ids in sorted(found)[:limit]
    ]
