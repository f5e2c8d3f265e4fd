"""The technology vocabulary: concepts with labels in six languages, and lexicons from Vietnamese.

Concepts have the shape of SKOS (W3C, 2009): an id, labels with the preferred one first, and
broader concepts. `vocabulary_data/concepts` holds a file for each sector, `vi-en.tsv` and its like
the words of technical prose. All of it is this project's own.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from sys import intern

from svc_matching.domain.vocabularies import LANGUAGES, TARGETS, Concept

HEADER = ("id", "broader", *LANGUAGES)
_BETWEEN = "|"
_VERSION_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """One version of all concepts and words; equal to itself alone."""

    version: str
    concepts: Mapping[str, Concept]
    lexicons: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Language → Vietnamese word or compound → its words, the most usual first."""
    revision: int = 0
    """How many changes of the curators it holds."""

    def labels(self, language: str) -> Iterator[tuple[str, str]]:
        """Yield each label of a language with its concept's id; a deprecated one has none."""
        for concept in self.concepts.values():
            if not concept.deprecated:
                for label in concept.labels.get(language, ()):
                    yield label, concept.id

    def with_changes(self, revision: int, curated: Mapping[str, Concept]) -> "Vocabulary":
        """Return this vocabulary with what curators have made of some concepts."""
        if not revision:
            return self
        concepts = {**self.concepts, **curated}
        return Vocabulary(f"{self.version}+{revision}", concepts, self.lexicons, revision)


class VocabularyError(ValueError):
    """A vocabulary file is not as it must be; names the file and the line."""


def read_concepts(sector: str, lines: Iterable[str]) -> Iterator[Concept]:
    """Read one sector's file."""
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if number == 1:
            if tuple(cells) != HEADER:
                raise VocabularyError(f"{sector}: the header must be {' '.join(HEADER)}")
            continue
        if len(cells) != len(HEADER):
            raise VocabularyError(f"{sector}, line {number}: {len(cells)} columns")
        yield Concept(
            id=cells[0],
            sector=sector,
            broader=_parts(cells[1]),
            labels=dict(zip(LANGUAGES, map(_parts, cells[2:]), strict=True)),
        )


def read_lexicon(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read the words of technical prose."""
    found = {}
    for number, line in enumerate(lines, start=1):
        vietnamese, _, words = line.partition("\t")
        if not vietnamese or not words:
            raise VocabularyError(f"lexicon, line {number}: two columns are wanted")
        found[intern(vietnamese)] = _parts(words)
    return found


@cache
def load_vocabulary() -> Vocabulary:
    """Return the vocabulary that ships with this version."""
    folder = files(__package__).joinpath("vocabulary_data")
    digest = hashlib.sha256()
    concepts: dict[str, Concept] = {}
    for file in sorted(folder.joinpath("concepts").iterdir(), key=lambda each: each.name):
        found = read_concepts(file.name.removesuffix(".tsv"), _lines(file, digest))
        concepts.update((concept.id, concept) for concept in found)
    lexicons = {
        language: read_lexicon(_lines(folder.joinpath(f"vi-{language}.tsv"), digest)[1:])
        for language in TARGETS
    }
    return Vocabulary(digest.hexdigest()[:_VERSION_DIGITS], concepts, lexicons)


def _lines(file: Traversable, digest: "hashlib._Hash") -> list[str]:
    text = file.read_text("utf-8")
    digest.update(text.encode())
    return text.splitlines()


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(cell.split(_BETWEEN)) if cell else ()
