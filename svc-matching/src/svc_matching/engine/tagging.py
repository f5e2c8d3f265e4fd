"""Find the vocabulary's concepts in a text: the longest label that fits, in the text's language.

A label and a text are compared in the same form: stems in English and German, syllables in
Vietnamese, bare characters in Korean, Japanese, Chinese.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, groupby
from operator import itemgetter

from ahocorasick_rs import AhoCorasick, MatchKind

from svc_matching.domain.vocabularies import LANGUAGES
from svc_matching.engine.analysers import (
    bracketed,
    form_of,
    forms_unkept,
    in_characters,
    syllables_of,
    words_of,
)
from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.marks import has_marks, restore

CONCEPT, BROADER = "#", "^"
INNER = 0.35
"""What a concept inside a longer label counts beside it: drying and tea beside tea drying."""
_SHORTEST_COMPOUND, _SHORTEST_PART = 9, 4
_LINKS = ("", "s", "n", "en", "es")


class _Tagger:
    """All labels of one language as one automaton (Aho and Corasick, 1975)."""

    def __init__(self, language: str) -> None:
        patterns: dict[str, str] = {}
        for label, concept in vocabulary().labels(language):
            if words := words_of(label, language):
                forms = forms_unkept(words, language)
                patterns.setdefault("".join(_marked(each, language) for each in forms), concept)
        self._concepts = list(patterns.values())
        self._automaton = AhoCorasick(list(patterns), matchkind=MatchKind.Standard)

    def found(self, encoded: str) -> Iterator[tuple[str, int, int, bool]]:
        """Yield concepts, where their labels begin and end, and whether inside a longer one.

        The longest labels from left to right do not overlap; what they contain comes after them.
        """
        matches = self._automaton.find_matches_as_indexes(encoded, overlapping=True)
        reached = inside_of = 0
        for number, start, end in sorted(matches, key=lambda match: (match[1], -match[2])):
            if start >= reached:
                inside_of, reached = start, end
                yield self._concepts[number], start, end, False
            elif end <= reached and (start, end) != (inside_of, reached):
                yield self._concepts[number], start, end, True


@kept()
def _tagger(language: str) -> _Tagger:
    return _Tagger(language)


def concepts_in(text: str, language: str) -> dict[str, float]:
    """Return the concepts of a text and how often each counts: less within a longer label."""
    language = _known(language)
    found: dict[str, float] = {}
    for concept, _, _, inside in _tagger(language).found(_encoded(text, language)):
        found[concept] = found.get(concept, 0.0) + (INNER if inside else 1.0)
    return found


def concept_surfaces(text: str, language: str) -> dict[str, str]:
    """Return each concept of a text with the words that name it there first, as written."""
    language = _known(language)
    pieces = _shown(text, language)
    ends = list(accumulate(len(piece) for piece, _ in pieces))
    between = "" if in_characters(language) else " "
    surfaces: dict[str, str] = {}
    encoded = "".join(piece for piece, _ in pieces)
    for concept, start, end, _ in _tagger(language).found(encoded):
        named = pieces[bisect_right(ends, start) : bisect_right(ends, end - 1) + 1]
        words = dict.fromkeys(word for _, word in named) if between else [w for _, w in named]
        surfaces.setdefault(concept, between.join(words))
    return surfaces


def uncovered(text: str, language: str) -> Iterator[list[str]]:
    """Yield the words of a text that no label covers, those that follow each other together."""
    language = _known(language)
    pieces = _shown(text, language)
    spans = _tagger(language).found("".join(piece for piece, _ in pieces))
    covered = [(start, end) for _, start, end, inside in spans if not inside]
    words: list[tuple[str, bool]] = []
    at = place = 0
    for piece, word in pieces:
        begins, at = at, at + len(piece)
        while place < len(covered) and covered[place][1] <= begins:
            place += 1
        is_covered = place < len(covered) and covered[place][0] < at
        if language == "de" and words and words[-1][0] == word:  # a part of the compound before
            words[-1] = word, words[-1][1] or is_covered
        else:
            words.append((word, is_covered))
    for is_covered, run in groupby(words, key=itemgetter(1)):
        if not is_covered:
            yield [word for word, _ in run]


def _shown(text: str, language: str) -> list[tuple[str, str]]:
    """Return the words as the automaton sees them, with marks, each with the word as written."""
    pieces = _pieces(text, language)
    if language == "vi" and not has_marks(text):
        restored = _pieces(restore(text), language)
        if len(restored) == len(pieces):
            return [(piece, word) for (piece, _), (_, word) in zip(restored, pieces, strict=True)]
    return pieces


def _known(language: str) -> str:
    """Return the language to look in, English for unknown ones."""
    return language if language in LANGUAGES else "en"


@kept()
def broader_terms(concept: str) -> tuple[str, ...]:
    """Return the terms by which near concepts share credit: its own family's and its parents'.

    A sector's root says too little to be shared.
    """
    concepts = vocabulary().concepts
    if concept not in concepts:
        return ()  # known to an analysis that an older version made
    family = [concept, *concepts[concept].broader]
    return tuple(
        f"{BROADER}{name}" for name in family if name in concepts and concepts[name].broader
    )


def _pieces(text: str, language: str) -> list[tuple[str, str]]:
    """Return the words as the automaton sees them, each with the word as written.

    A label begins and ends where words do. A German compound is followed by its parts.
    """
    pieces = []
    for word in words_of(text, language):
        pieces.append((_piece(word, language), word))
        if language == "de" and len(word) >= _SHORTEST_COMPOUND:
            pieces += [(f"<{part}>", word) for part in _parts_of(word.lower())]
    return pieces


def _encoded(text: str, language: str) -> str:
    """Return a text as the automaton sees it."""
    if language == "vi":
        return bracketed(syllables_of(text))
    if language == "de":
        return "".join([piece for piece, _ in _pieces(text, language)])
    return "".join([_piece(word, language) for word in words_of(text, language)])


@lru_cache(maxsize=32_768)
def _piece(word: str, language: str) -> str:
    return _marked(form_of(word, language), language)


def _marked(form: str, language: str) -> str:
    return form if in_characters(language) and not form.isascii() else f"<{form}>"


@kept()
def _german_words() -> frozenset[str]:
    words = (word.lower() for label, _ in vocabulary().labels("de") for word in label.split())
    return frozenset(word for word in words if len(word) >= _SHORTEST_PART)


@kept(maxsize=16_384)
def _parts_of(compound: str) -> tuple[str, ...]:
    """Return the stems of a German compound's parts that labels know; none when it is not one."""
    found = _split(compound)
    return tuple(form_of(part, "de") for part in found) if len(found) > 1 else ()


def _split(compound: str) -> list[str]:
    """Cut from the left into the longest known words, with the letters that link them."""
    known = _german_words()
    if compound in known:
        return [compound]
    for end in range(len(compound) - _SHORTEST_PART, _SHORTEST_PART - 1, -1):
        if compound[:end] in known:
            for link in _LINKS:
                if compound.startswith(link, end) and (rest := _split(compound[end + len(link) :])):
                    return [compound[:end], *rest]
    return []
