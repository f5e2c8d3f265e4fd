"""All concepts of one version, arranged for those who search, read and check them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from shared.kernel.text import search_key, unify_tone_placement
from svc_matching.domain.vocabularies import (
    LANGUAGES,
    Concept,
    ConceptSelection,
    ConceptStatus,
    Language,
    Origin,
    TechnologyConcept,
)

Position = tuple[int, str]
"""How well a concept answers (0 best), then its id: the order of a list, and where a page ends."""

_EXACT, _FOLDED, _BEGINS, _CONTAINS = range(4)


def label_key(label: str) -> str:
    """Return the form in which two labels of a language must differ."""
    return " ".join(label.lower().replace("-", " ").split())


def _spelled(text: str) -> str:
    return unify_tone_placement(" ".join(text.casefold().split()))


@dataclass(frozen=True)
class Catalogue:
    """`changed` tells the version that last changed a concept; the others are as shipped."""

    version: str
    concepts: Mapping[str, Concept]
    shipped_version: str
    shipped: frozenset[str]
    changed: Mapping[str, str]

    @cached_property
    def narrower(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for concept in self.concepts.values():
            for above in concept.broader:
                found[above].append(concept.id)
        return {above: sorted(below) for above, below in found.items()}

    @cached_property
    def owners(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """Return which concepts in use have a label: (language, key) → ids."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for concept in self.concepts.values():
            if not concept.deprecated:
                for language, labels in concept.labels.items():
                    for label in labels:
                        found[language, label_key(label)].add(concept.id)
        return {key: frozenset(ids) for key, ids in found.items()}

    @cached_property
    def _names(self) -> Mapping[str, list[tuple[str, str, str]]]:
        """Return for each concept its labels: language, as spelled, without marks."""
        return {
            concept.id: [
                (language, _spelled(label), search_key(label))
                for language in LANGUAGES
                for label in concept.labels.get(language, ())
            ]
            for concept in self.concepts.values()
        }

    def search(
        self, wanted: ConceptSelection, after: Position | None, limit: int
    ) -> tuple[list[TechnologyConcept], Position | None]:
        """Return a page, best answers first, and its end if there is more."""
        found = sorted(self._ranked(wanted))
        if after is not None:
            found = [each for each in found if each > after]
        page = found[:limit]
        end = page[-1] if len(found) > limit else None
        return [self.shown(name) for _, name in page], end

    def _ranked(self, wanted: ConceptSelection) -> Iterator[Position]:
        asked = (_spelled(wanted.q), search_key(wanted.q)) if wanted.q else None
        for concept in self.concepts.values():
            if self._is_among(concept, wanted):
                rank = _EXACT if asked is None else self._rank(concept.id, asked, wanted.language)
                if rank is not None:
                    yield rank, concept.id

    def _is_among(self, concept: Concept, wanted: ConceptSelection) -> bool:
        return (
            wanted.sector in (None, concept.sector)
            and (wanted.broader is None or wanted.broader in concept.broader)
            and wanted.origin in (None, self._origin(concept.id))
            and wanted.status in (None, _status(concept))
        )

    def _rank(
        self, concept_id: str, asked: tuple[str, str], language: Language | None
    ) -> int | None:
        """Return how well its best label answers; None when none does."""
        spelled, folded = asked
        ranks = [_EXACT] if spelled == concept_id else []
        for spoken, name, key in self._names[concept_id]:
            if language in (None, spoken) and folded in key:
                if name == spelled:
                    ranks.append(_EXACT)
                elif key == folded:
                    ranks.append(_FOLDED)
                else:
                    ranks.append(_BEGINS if key.startswith(folded) else _CONTAINS)
        return min(ranks, default=None)

    def _origin(self, concept_id: str) -> Origin:
        return Origin.SHIPPED if concept_id in self.shipped else Origin.CURATED

    def shown(self, concept_id: str) -> TechnologyConcept:
        """Return a concept as the API shows it."""
        concept = self.concepts[concept_id]
        return TechnologyConcept(
            id=concept.id,
            sector=concept.sector,
            status=_status(concept),
            origin=self._origin(concept_id),
            version=self.changed.get(concept_id, self.shipped_version),
            broader=list(concept.broader),
            narrower=self.narrower.get(concept_id, []),
            labels={
                Language(language): list(labels)
                for language, labels in concept.labels.items()
                if labels
            },
        )


def _status(concept: Concept) -> ConceptStatus:
    return ConceptStatus.DEPRECATED if concept.deprecated else ConceptStatus.ACTIVE
