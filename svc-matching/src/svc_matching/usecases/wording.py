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
from svc_matching.engine.analysers import surfaces
from svc_matching.engine.in_use import vocabulary
from svc_matching.engine.marks import SHADOW, has_marks, restore
from svc_matching.engine.matched import MatchedTerm
from svc_matching.engine.tagging import BROADER, CONCEPT, concept_surfaces
from svc_matching.engine.views import View, plain_text
from svc_matching.engine.weights import MILLION

P = TypeVar("P", DemandProfile, SupplyProfile)
C = TypeVar("C", DemandCard, SupplyCard)


class Text(Generic[P]):
    """A side's profile with the words behind its terms."""

    def __init__(self, profile: P, views: Sequence[View]) -> None:
        self.profile: P = profile
        self.views = views
        self.language = views[0].language if views else None
        self._plain = spell_out(plain_text(profile), self.language or "")
        self._wanted: set[str] = set()
        self._found: dict[str, str] | None = None

    def want(self, terms: Iterable[str]) -> None:
        """Say which terms will be asked for, so that the text is searched once for all."""
        self._wanted.update(terms)

    def surface(self, term: str) -> str:
        """Return the words as written; a term known from a translation only shows itself."""
        if self._found is None:
            self._found = self._find()
        return self._found.get(term) or _spoken(term)

    def _find(self) -> dict[str, str]:
        language = self.language or ""
        words = frozenset(term for term in self._wanted if term[0] not in (CONCEPT, BROADER))
        found = surfaces(self._plain, language, words)
        if len(words) < len(self._wanted):
            named = concept_surfaces(self._plain, language)
            found |= {f"{CONCEPT}{concept}": words for concept, words in named.items()}
        return found


def card_of(card: type[C], profile: DemandProfile | SupplyProfile) -> C:
    return card.model_validate(profile, from_attributes=True)


def _named(term: str, demand: Text[DemandProfile]) -> str:
    """Return what to call a term: pairs of syllables are compared without marks, but have them."""
    if term[0] != SHADOW or "_" not in term:
        return _spoken(term)
    written = demand.surface(term).lower()
    return written if has_marks(written) else restore(written)


def _spoken(term: str) -> str:
    if term[0] in (CONCEPT, BROADER):
        known = vocabulary().concepts.get(term[1:])
        return known.label("vi") if known else term[1:]
    return term.lstrip("=~%").replace("_", " ")


def explanation_of(
    demand: Text[DemandProfile],
    supply: Text[SupplyProfile],
    components: Sequence[Component],
    terms: Iterable[MatchedTerm],
    obstacles: Sequence[Reason],
) -> Explanation:
    """Return why the supply stands where it stands; both texts know that `terms` are wanted."""
    matched = [
        MatchedConcept(
            concept=_named(each.term, demand),
            demand_text=demand.surface(each.term),
            supply_text=supply.surface(each.found),
            share=each.share / MILLION,
        )
        for each in terms
    ]
    same_language = demand.language == supply.language
    return explain(components, matched, obstacles, same_language=same_language)
