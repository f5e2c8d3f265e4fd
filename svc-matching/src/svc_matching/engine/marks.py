"""Restore the marks of Vietnamese that was typed without: «say che xanh» → «sấy chè xanh».

A syllable without marks may stand for several. The likeliest line of them is chosen (Viterbi, 1967)
by how often they stand alone and side by side in the words this project ships: the labels of the
vocabulary, the lexicon, and the stop words.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.stopwords import VIETNAMESE
from svc_matching.engine.vietnamese import fold, is_syllable

SHADOW = "~"
"""What a term without marks begins with."""
_COMMON = 100
"""Times that each stop word counts as seen: labels and dictionaries hardly use them."""
_TOGETHER = 6.0
"""What a known neighbour counts beside one that is merely usual."""
_CANDIDATES = 6
_WORD = re.compile(r"([^\W\d_]+)")


@dataclass(frozen=True, slots=True)
class _Model:
    """What a bare syllable may be, each with how usual it is, and what known pairs add."""

    choices: Mapping[str, Sequence[tuple[str, float]]]
    together: Mapping[tuple[str, str], float]


@kept()
def _model() -> _Model:
    alone: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for word in _words():
        syllables = [each for each in _WORD.findall(word.lower()) if is_syllable(each)]
        alone.update(syllables)
        pairs.update(pairwise(syllables))
    alone.update(dict.fromkeys(VIETNAMESE, _COMMON))
    choices: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for syllable, seen in sorted(alone.items(), key=lambda each: (-each[1], each[0])):
        if len(known := choices[fold(syllable)]) < _CANDIDATES:
            known.append((syllable, log(seen)))
    together = {pair: _TOGETHER * log(1 + seen) for pair, seen in pairs.items()}
    return _Model(dict(choices), together)


def _words() -> Iterator[str]:
    words = vocabulary()
    yield from {word for lexicon in words.lexicons.values() for word in lexicon}
    for label, _ in words.labels("vi"):
        yield label


def has_marks(text: str) -> bool:
    """Whether any syllable of a Vietnamese text has a mark; «Düse» is no syllable."""
    if text.isascii():
        return False
    whole = unicodedata.normalize("NFC", text.lower())
    words = (found[0] for found in _WORD.finditer(whole))
    return any(not word.isascii() and is_syllable(word) for word in words)


def restore(text: str) -> str:
    """Return `text` with the likeliest marks, in lower case; other words stay as they are."""
    model = _model()
    parts = _WORD.split(unicodedata.normalize("NFC", text).lower())
    line: list[int] = []
    for place in range(1, len(parts), 2):
        if line and not parts[place - 1].isspace():
            _mark(parts, line, model)
            line = []
        if parts[place] in model.choices:
            line.append(place)
        elif line:
            _mark(parts, line, model)
            line = []
    _mark(parts, line, model)
    return "".join(parts)


def _mark(parts: list[str], line: Sequence[int], model: _Model) -> None:
    if line:
        restored = _likeliest([parts[place] for place in line], model)
        for place, syllable in zip(line, restored, strict=True):
            parts[place] = syllable


def _likeliest(bare: Sequence[str], model: _Model) -> list[str]:
    """Return the syllables with the greatest sum of what each counts after the one before it."""
    scores = [usual for _, usual in model.choices[bare[0]]]
    ways: list[list[int]] = []
    for before, each in pairwise(bare):
        best = max(range(len(scores)), key=scores.__getitem__)
        choices = model.choices[each]
        reached = [scores[best] + usual for _, usual in choices]
        way = [best] * len(choices)
        for earlier, later, together in _joints(before, each):
            total = scores[earlier] + choices[later][1] + together
            if total > reached[later]:
                reached[later], way[later] = total, earlier
        scores = reached
        ways.append(way)
    place = max(range(len(scores)), key=scores.__getitem__)
    line = [model.choices[bare[-1]][place][0]]
    for each, way in zip(reversed(bare[:-1]), reversed(ways), strict=True):
        place = way[place]
        line.append(model.choices[each][place][0])
    return line[::-1]


@kept(maxsize=65_536)
def _joints(before: str, after: str) -> tuple[tuple[int, int, float], ...]:
    """Return which choices for two bare syllables are known side by side, and what that adds."""
    model = _model()
    return tuple(
        (earlier, later, together)
        for earlier, (one, _) in enumerate(model.choices[before])
        for later, (other, _) in enumerate(model.choices[after])
        if (together := model.together.get((one, other)))
    )
