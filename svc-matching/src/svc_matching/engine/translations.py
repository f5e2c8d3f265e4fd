"""Vietnamese words as sets of English ones (probabilistic structured queries, Darwish & Oard 2003).

A text is cut into the longest words the lexicon or the vocabulary knows. Each is a unit of the
query: its translations are one set, which is as rare as the set is, and whose best word counts.
"""

from collections.abc import Iterator, Mapping, Sequence

from svc_matching.engine.analysers import form_of, stems_of, words_of
from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.stopwords import VIETNAMESE, VIETNAMESE_FOLDED
from svc_matching.engine.vietnamese import fold

UNIT = "%"
_SHADOW = "~"
_LONGEST = 7
"""Syllables of a word; longer labels are found word by word."""
INNER = 0.5
"""What the words inside a longer word count beside it."""
_DECAY = 0.8
"""What a translation counts beside the more usual one before it."""
_LABELS = 0.3
"""What the words of a concept's English labels count beside the lexicon's."""
_CANDIDATES = 4
_MAX_WORDS = 12
_LEAST_SHARE = 0.1
"""What a word must count beside the best of its set: rarer senses cost time and find nothing."""

Alternatives = tuple[tuple[str, float], ...]


@kept()
def _words() -> Mapping[str, tuple[str, ...]]:
    """Return each known word: what to look up for it."""
    return {key: (key,) for key in {*_lexicon(), *_labels()}}


@kept()
def _shadows() -> Mapping[str, tuple[str, ...]]:
    """Return each known word without marks, and the words it may stand for."""
    found: dict[str, list[str]] = {}
    for key in _words():
        found.setdefault(_folded(key), []).append(key)
    return {shadow: tuple(sorted(keys)[:_CANDIDATES]) for shadow, keys in found.items()}


@kept()
def _lexicon() -> Mapping[str, tuple[str, ...]]:
    return {_key(word): english for word, english in vocabulary().lexicon.items()}


@kept()
def _labels() -> Mapping[str, tuple[str, ...]]:
    """Return each Vietnamese label: the English labels of its concept."""
    words = vocabulary()
    return {
        _key(label): words.concepts[concept].labels["en"] for label, concept in words.labels("vi")
    }


def _key(word: str) -> str:
    return " ".join(_forms(word))


def _folded(key: str) -> str:
    return " ".join(fold(part) for part in key.split(" "))


def _forms(text: str) -> list[str]:
    return [form_of(word, "vi") for word in words_of(text, "vi")]


def units_in(text: str, *, marked: bool = True) -> dict[str, float]:
    """Return the words of a Vietnamese text that have translations, and how often each counts."""
    forms, known, prefix, stop = _forms(text), _words(), UNIT, VIETNAMESE
    if not marked:
        forms, known = [fold(form) for form in forms], _shadows()
        prefix, stop = UNIT + _SHADOW, VIETNAMESE_FOLDED
    found: dict[str, float] = {}

    def count(word: Sequence[str], often: float) -> None:
        if len(word) > 1 or word[0] not in stop:
            unit = prefix + " ".join(word)
            found[unit] = found.get(unit, 0.0) + often

    for word in _cut(forms, known, _LONGEST):
        count(word, 1.0)
        if len(word) > 1:
            for inner in _cut(word, known, len(word) - 1):
                count(inner, INNER)
    return found


def _cut(
    forms: Sequence[str], known: Mapping[str, object], longest: int
) -> Iterator[Sequence[str]]:
    """Yield the longest known words from left to right."""
    start = 0
    while start < len(forms):
        for end in range(min(start + longest, len(forms)), start, -1):
            if " ".join(forms[start:end]) in known:
                yield forms[start:end]
                start = end
                break
        else:
            start += 1


@kept(maxsize=65_536)
def alternatives(unit: str) -> Alternatives:
    """Return the English stems that a unit may be, each with what it counts, at most 1."""
    word = unit[len(UNIT) :]
    if word.startswith(_SHADOW):
        candidates = _shadows().get(word[1:], ())
    else:
        candidates = _words().get(word, ())
    weights: dict[str, float] = {}
    for candidate in candidates:
        for place, english in enumerate(_lexicon().get(candidate, ())):
            _add(weights, english, _DECAY**place)
        for place, english in enumerate(_labels().get(candidate, ())):
            _add(weights, english, _LABELS * _DECAY**place)
    strongest = sorted(weights.items(), key=lambda each: (-each[1], each[0]))[:_MAX_WORDS]
    return tuple(each for each in strongest if each[1] >= _LEAST_SHARE * strongest[0][1])


def _add(weights: dict[str, float], english: str, weight: float) -> None:
    stems = stems_of(english)
    for stem in stems:
        weights[stem] = max(weights.get(stem, 0.0), weight / len(stems))
