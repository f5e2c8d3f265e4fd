"""Vietnamese words as sets of foreign ones (probabilistic structured queries, Darwish & Oard 2003).

A text is cut into the longest words the lexicon or the vocabulary knows. Each is a unit of the
query: its translations are one set, which is as rare as the set is, and whose best word counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from svc_matching.domain.vocabularies import TARGETS, Concept
from svc_matching.engine.analysers import form_of, terms_of, words_of
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


@dataclass(frozen=True, slots=True)
class _Words:
    """The words that can be looked up, each with the name of its unit, and what they begin with."""

    units: Mapping[str, str]
    beginnings: frozenset[str]

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        known = {word: UNIT + word for word in words if word not in VIETNAMESE}
        return cls(known, frozenset(_beginnings(known)))


def _beginnings(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        end = word.find(" ")
        while end > 0:
            yield word[:end]
            end = word.find(" ", end + 1)


@kept()
def _words() -> _Words:
    return _Words.of(_known())


@kept()
def _lexicon(language: str) -> Mapping[str, tuple[str, ...]]:
    return {_key(word): words for word, words in vocabulary().lexicons[language].items()}


@kept()
def _labels() -> Mapping[str, Concept]:
    """Return the concept of each Vietnamese label."""
    words = vocabulary()
    return {_key(label): words.concepts[concept] for label, concept in words.labels("vi")}


@kept()
def _known() -> frozenset[str]:
    """Return all words that have a translation into any language."""
    return frozenset(_labels()).union(*(_lexicon(language) for language in TARGETS))


def _key(word: str) -> str:
    return " ".join(_forms(word))


def _forms(text: str) -> list[str]:
    return [form_of(word, "vi") for word in words_of(text, "vi")]


def units_in(text: str) -> dict[str, float]:
    """Return the words of a Vietnamese text that have translations, and how often each counts."""
    found: dict[str, float] = {}
    for word in _cut(_forms(text), _words(), _LONGEST):
        for unit, often in _units_of(word):
            found[unit] = found.get(unit, 0.0) + often
    return found


@kept(maxsize=65_536)
def _units_of(word: str) -> tuple[tuple[str, float], ...]:
    """Return the unit of a known word, and those of the words inside it."""
    known, parts = _words(), word.split(" ")
    inner = _cut(parts, known, len(parts) - 1) if len(parts) > 1 else ()
    return ((known.units[word], 1.0), *((known.units[each], INNER) for each in inner))


def _cut(forms: Sequence[str], known: _Words, longest: int) -> Iterator[str]:
    """Yield the longest known words from left to right."""
    units, beginnings, count = known.units, known.beginnings, len(forms)
    start = 0
    while start < count:
        word, end, last = forms[start], start + 1, min(start + longest, count)
        longest_word, after = word if word in units else None, end
        while end < last and word in beginnings:
            word = f"{word} {forms[end]}"
            end += 1
            if word in units:
                longest_word, after = word, end
        if longest_word is not None:
            yield longest_word
        start = after


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
