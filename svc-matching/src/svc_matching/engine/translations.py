"""Vietnamese words as sets of foreign ones (probabilistic structured queries, Darwish & Oard 2003).

A text is cut into the longest words the lexicon or the vocabulary knows. Each is a unit of the
query: its translations are one set, which is as rare as the set is, and whose best word counts.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from sys import intern

from ahocorasick_rs import AhoCorasick, MatchKind

from svc_matching.domain.vocabularies import TARGETS, Concept
from svc_matching.engine.analysers import bracketed, syllables_of, terms_of
from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.stopwords import VIETNAMESE

UNIT = "%"
_LONGEST = 7
"""Syllables of a word; longer labels are found word by word."""
INNER = 0.5
"""What the words inside a longer word count beside it."""
_DECAY = 0.8
"""What a translation counts beside the more usual one before it."""
_LABELS = 0.3
"""What the words of a concept's labels count beside the lexicon's."""
_MAX_WORDS = 12
_LEAST_SHARE = 0.1
"""What a word must count beside the best of its set: rarer senses cost time and find nothing."""

Alternatives = tuple[tuple[str, float], ...]


class _Cutter:
    """Cuts a text into the longest known words, from left to right (Aho and Corasick, 1975)."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = [word for word in words if word and word.count(" ") < _LONGEST]
        patterns = [bracketed(word.split(" ")) for word in self.words]
        self._automaton = AhoCorasick(patterns, matchkind=MatchKind.LeftmostLongest)

    def cut(self, syllables: Sequence[str]) -> Iterator[int]:
        """Yield the number of each word found."""
        for number, _, _ in self._automaton.find_matches_as_indexes(bracketed(syllables)):
            yield number


@kept()
def _cutter() -> _Cutter:
    """Return what finds the words that have a translation into any language."""
    lexicons = (_lexicon(language) for language in TARGETS)
    return _Cutter(frozenset(_labels()).union(*lexicons) - VIETNAMESE)


@kept()
def _lexicon(language: str) -> Mapping[str, tuple[str, ...]]:
    return {_key(word): words for word, words in vocabulary().lexicons[language].items()}


@kept()
def _labels() -> Mapping[str, Concept]:
    """Return the concept of each Vietnamese label."""
    words = vocabulary()
    return {_key(label): words.concepts[concept] for label, concept in words.labels("vi")}


def _key(word: str) -> str:
    """Return a word as texts are compared with it; the same string when it is that already."""
    return intern(" ".join(syllables_of(word)))


def units_in(text: str) -> dict[str, float]:
    """Return the words of a Vietnamese text that have translations, and how often each counts."""
    found: dict[str, float] = {}
    for number, times in Counter(_cutter().cut(syllables_of(text))).items():
        for unit, often in _units_of(number):
            found[unit] = found.get(unit, 0.0) + often * times
    return found


@kept(maxsize=16_384)
def _units_of(number: int) -> tuple[tuple[str, float], ...]:
    """Return the unit of a known word, and those of the words inside it."""
    cutter = _cutter()
    word = cutter.words[number]
    return ((UNIT + word, 1.0), *((UNIT + each, INNER) for each in _inside(word, cutter)))


def _inside(whole: str, cutter: _Cutter) -> list[str]:
    """Return the longest shorter words inside a word, from left to right."""
    syllables = whole.split(" ")
    shorter = map(cutter.words.__getitem__, cutter.cut(syllables[:-1]))
    first = next((word for word in shorter if whole.startswith(f"{word} ")), None)
    rest = syllables[first.count(" ") + 1 if first else 1 :]
    after = [cutter.words[number] for number in cutter.cut(rest)]
    return [first, *after] if first else after


@kept(maxsize=131_072)
def alternatives(unit: str, language: str) -> Alternatives:
    """Return the terms of a language that a unit may be, each with what it counts, at most 1."""
    word = unit[len(UNIT) :]
    weights: dict[str, float] = {}
    for place, foreign in enumerate(_lexicon(language).get(word, ())):
        _add(weights, terms_of(foreign, language), _DECAY**place)
    concept = _labels().get(word)
    labels = concept.labels.get(language, ()) if concept else ()
    for place, label in enumerate(labels):
        _add(weights, terms_of(label, language), _LABELS * _DECAY**place)
    strongest = sorted(weights.items(), key=lambda each: (-each[1], each[0]))[:_MAX_WORDS]
    return tuple(each for each in strongest if each[1] >= _LEAST_SHARE * strongest[0][1])


def _add(weights: dict[str, float], terms: Sequence[str], weight: float) -> None:
    for term in terms:
        weights[term] = max(weights.get(term, 0.0), weight / len(terms))
