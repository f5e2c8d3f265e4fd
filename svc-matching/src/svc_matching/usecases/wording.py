"""Two profiles with the words behind their terms, and what is said of a pair of them."""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from shared.contracts.demands import DemandProfile
from shared.contracts.matches import (
    Component,
    DemandCard,
    Explanation,
    MatchedConcept,
    Reason,
    SupplyCard,
)
from shared.contracts.supplies import SupplyProfile
from svc_matching.domain.explanations import explain
from svc_matching.engine.abbreviations import spell_out
from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.marks import SHADOW, has_marks, restore
from svc_matching.engine.matched import MatchedTerm, SupplyText
from svc_matching.engine.surfaces import Surfaces
from svc_matching.engine.tagging import BROADER, CONCEPT
from svc_matching.engine.views import View, plain_text, unpack
from svc_matching.engine.weights import MILLION

OFFERS = 1024
"""Supplies that are kept as they were read: some 30 KB each."""

P = TypeVar("P", DemandProfile, SupplyProfile)
C = TypeVar("C", DemandCard, SupplyCard)


class Text(Generic[P]):
    """A side's profile with the words behind its terms."""

    def __init__(self, profile: P, views: Sequence[View]) -> None:
        self.profile: P = profile
        self.views = views
        self.language = views[0].language if views else None
        self._names: dict[str, str] = {}
        language = self.language or ""
        self._surfaces = Surfaces(spell_out(plain_text(profile), language), language)

    def surface(self, term: str) -> str:
        """Return the words as written; a term known from a translation only shows itself."""
        return self._surfaces.behind(term) or _spoken(term)

    def name(self, term: str) -> str:
        """Return what to call a term; a pair of syllables, compared without marks, gets them."""
        if term not in self._names:
            self._names[term] = self._name(term)
        return self._names[term]

    def _name(self, term: str) -> str:
        if term[0] != SHADOW or "_" not in term:
            return _spoken(term)
        written = self.surface(term).lower()
        return written if has_marks(written) else restore(written)


class Offer(Text[SupplyProfile]):
    """A supply with what every demand that lists it is told of it."""

    def __init__(self, profile: SupplyProfile, views: Sequence[View]) -> None:
        super().__init__(profile, views)
        self.text = SupplyText(views)
        self.card = card_of(SupplyCard, profile)


@kept(maxsize=OFFERS)
def read_offer(profile: str, analysis: bytes) -> Offer:
    """Read a stored supply; the last ones read are kept, for many lists show the same."""
    return Offer(SupplyProfile.model_validate_json(profile), unpack(analysis))


def card_of(card: type[C], profile: DemandProfile | SupplyProfile) -> C:
    return card.model_validate(profile, from_attributes=True)


def _spoken(term: str) -> str:
    if term[0] in (CONCEPT, BROADER):
        known = vocabulary().concepts.get(term[1:])
        return known.label("vi") if known else term[1:]
    return term.lstrip("=~%").replace("_", " ")


def explanation_of(
    demand: Text[DemandProfile],
    supply: Offer,
    components: Sequence[Component],
    terms: Iterable[MatchedTerm],
    obstacles: Sequence[Reason],
) -> Explanation:
    """Return why the supply stands where it stands."""
    matched = [
        MatchedConcept(
            concept=demand.name(each.term),
            demand_text=demand.surface(each.term),
            supply_text=supply.surface(each.found),
            share=each.share / MILLION,
        )
        for each in terms
    ]
    same_language = demand.language == supply.language
    return explain(components, matched, obstacles, same_language=same_language)
