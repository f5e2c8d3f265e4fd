"""Say what list and diagnosis a demand would get, without keeping anything of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from shared.contracts.demands import DemandProfile
from shared.contracts.identity import Caller
from shared.contracts.matches import EngineVersion
from shared.contracts.supplies import SupplyStatus
from svc_matching.domain.diagnoses import (
    decide,
    diagnosis_text,
    in_order,
    missed_of,
    remedies,
)
from svc_matching.domain.preview import (
    SECONDS,
    MatchPreview,
    MatchPreviewIn,
    PreviewedMatch,
    preview_refused,
    require_partner,
)
from svc_matching.engine.engine import Engine
from svc_matching.engine.facts import demand_facts
from svc_matching.engine.features import (
    Features,
    components_of,
    pack_features,
    passed_gates,
    priced,
)
from svc_matching.engine.matched import DemandText
from svc_matching.engine.pairs import Pair, Ranking
from svc_matching.engine.reasons import reasons_between
from svc_matching.engine.statistics import Frozen
from svc_matching.engine.views import View, views_of
from svc_matching.engine.weights import MILLION
from svc_matching.storage import items, prices
from svc_matching.storage.items import Copy
from svc_matching.usecases.diagnoses import near_miss_of
from svc_matching.usecases.matcher import Matcher
from svc_matching.usecases.transactions import MatchingTransactions
from svc_matching.usecases.wording import Text, explanation_of, read_offer


@dataclass(frozen=True, slots=True)
class _Found:
    """What the engine says of the demand, and what it weighed by."""

    ranking: Ranking
    features: Sequence[Features]
    frozen: Frozen
    weights_version: str
    vocabulary_version: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A listed pair; `charge` is what the capacity price took off its score."""

    pair: Pair
    features: Features
    charge: int


async def preview_matches(
    transactions: MatchingTransactions, caller: Caller, asked: MatchPreviewIn
) -> MatchPreview:
    """Rank as for a published demand of the caller; 503 when there is no room or no time."""
    require_partner(caller)
    demand, matcher = asked.profile(), transactions.matcher
    async with _turn(matcher):
        views = await matcher.run(views_of, demand)
        near = await matcher.embeddings.at_once(demand, matcher.engine.embedder)
        async with transactions.look() as connection:
            found = await matcher.run(_rank, matcher.engine, demand, views, near)
            shown = {pair.supply_id for pair in (*found.ranking.listed, *found.ranking.missed)}
            copies = await items.read_copies(connection, shown)
            epoch = found.frozen.statistics.epoch
            charged = await prices.read_prices(connection, epoch, shown)
        places = _places(found, charged)[: asked.limit]
        return await asyncio.to_thread(_tell, demand, views, found, places, copies)


@asynccontextmanager
async def _turn(matcher: Matcher) -> AsyncIterator[None]:
    """Hold one of few places for a limited time; there is none while the index is not here."""
    if not matcher.loaded:
        raise preview_refused(
            "index_loading",
            "The index is not loaded here; try again shortly.",
            "Chỉ mục chưa được nạp; hãy thử lại sau.",
        )
    if matcher.previews.locked():
        raise preview_refused(
            "preview_busy",
            "Too many previews are being made; try again shortly.",
            "Đang có quá nhiều yêu cầu xem trước; hãy thử lại sau.",
        )
    limit = asyncio.timeout(SECONDS)
    try:
        async with matcher.previews, limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise preview_refused(
            "preview_timeout",
            "The preview took too long, as an import may be running; try again shortly.",
            "Xem trước mất quá nhiều thời gian, có thể do đang nhập dữ liệu; hãy thử lại sau.",
        ) from error


def _rank(
    engine: Engine, demand: DemandProfile, views: Sequence[View], near: bytes | None
) -> _Found:
    """Rank; runs in the engine's thread."""
    facts = demand_facts(demand, views)
    ranking = engine.preview(facts, views, near)
    return _Found(
        ranking,
        pack_features(ranking.listed, engine.weights),
        engine.frozen,
        engine.weights.version,
        engine.vocabulary_version,
    )


def _places(found: _Found, charged: Mapping[UUID, int]) -> list[_Place]:
    """Return the list as a reader would see it: by the scores less the capacity prices."""
    places = []
    for pair, features in zip(found.ranking.listed, found.features, strict=True):
        charge = min(charged.get(pair.supply_id, 0), pair.score)
        places.append(_Place(pair._replace(score=pair.score - charge), features, charge))
    return sorted(places, key=lambda place: place.pair.rank_key)


def _tell(
    demand: DemandProfile,
    views: Sequence[View],
    found: _Found,
    places: Sequence[_Place],
    copies: Mapping[UUID, Copy],
) -> MatchPreview:
    near_misses = [
        near_miss_of(miss, demand, copies[miss.supply_id], unchanged=True)
        for miss in found.ranking.missed
    ]
    witness = found.ranking.witness
    code = decide(
        served=witness.relevance / MILLION if witness else None,
        misses=[missed_of(miss) for miss in near_misses],
    )
    near_misses = in_order(code, near_misses)
    return MatchPreview(
        items=_matches(demand, views, found, places, copies),
        diagnosis=code,
        near_misses=near_misses,
        remedies=remedies(code, near_misses),
        text=diagnosis_text(code, near_misses),
    )


def _matches(
    demand: DemandProfile,
    views: Sequence[View],
    found: _Found,
    places: Sequence[_Place],
    copies: Mapping[UUID, Copy],
) -> list[PreviewedMatch]:
    wanted, text = Text(demand, views), DemandText(views, found.frozen)
    return [
        _match(rank, wanted, text, place, copies[place.pair.supply_id], found)
        for rank, place in enumerate(places, start=1)
    ]


def _match(
    rank: int,
    wanted: Text[DemandProfile],
    text: DemandText,
    place: _Place,
    copy: Copy,
    found: _Found,
) -> PreviewedMatch:
    pair, features = place.pair, place.features
    offer, status = read_offer(copy.profile, copy.analysis), SupplyStatus(copy.status)
    components = priced(components_of(features.components), place.charge)
    obstacles = reasons_between(pair.reasons, wanted.profile, offer.profile, status, unchanged=True)
    terms = text.matched(offer.text)
    return PreviewedMatch(
        supply_id=pair.supply_id,
        supply_version=copy.version,
        rank=rank,
        score=pair.score / MILLION,
        confidence=features.confidence / MILLION,
        supply=offer.card,
        components=components,
        gates=passed_gates(),
        explanation=explanation_of(wanted, offer, components, terms, obstacles),
        engine=EngineVersion(
            weights_version=found.weights_version,
            vocabulary_version=found.vocabulary_version,
            index_epoch=found.frozen.statistics.epoch,
        ),
    )
