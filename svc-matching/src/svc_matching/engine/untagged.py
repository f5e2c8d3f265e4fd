"""Find the phrases of texts that no concept covers, and count the texts they stand in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from svc_matching.engine.analysers import form_of, in_characters
from svc_matching.engine.stopwords import ENGLISH, GERMAN, VIETNAMESE
from svc_matching.engine.tagging import uncovered
from svc_matching.engine.vietnamese import fold, is_syllable

FEWEST = 2
"""Texts that a phrase must stand in: once is a name or a slip."""
MAX_WORDS = 200
"""Uncovered words of one text that are looked at, for the sake of memory."""

_BREAK = re.compile(r"[.,;:!?()\[\]{}/|\"«»“”、。，；：！？（）「」・\n]+")
_SPACED = re.compile(r"[.,;:!?()\[\]{}/|\"«»“”\s]+")
_KANA = re.compile(r"[\u3041-\u309f]")
_KATAKANA = re.compile(r"[\u30a0-\u30ff]")
_STOP = {"en": ENGLISH, "de": GERMAN, "vi": VIETNAMESE | frozenset(map(fold, VIETNAMESE))}
_SIZES = {"vi": (1, 4), "en": (1, 3), "de": (1, 3), "ko": (2, 6), "ja": (2, 8), "zh": (2, 4)}

Phrase = tuple[str, ...]


def phrases_in(text: str, language: str) -> dict[Phrase, str]:
    """Return the phrases outside of all labels by their forms, each as it is written first."""
    between = "" if in_characters(language) else " "
    found: dict[Phrase, str] = {}
    left = MAX_WORDS
    for run in _runs(text, language):
        for words in _grams(run[:left], language):
            forms = tuple(form_of(word, language) for word in words)
            found.setdefault(forms, between.join(words))
        left -= len(run)
        if left <= 0:
            break
    return found


def _runs(text: str, language: str) -> Iterator[list[str]]:
    """Yield words that follow each other, without those that carry no meaning."""
    stop = _STOP.get(language, frozenset())
    # Korean words end in particles: a phrase does not reach across the space between two.
    for part in (_SPACED if language == "ko" else _BREAK).split(text):
        for run in uncovered(part, language):
            start = 0
            for end, word in enumerate([*run, ""]):
                lower = word.lower()
                if not word or lower in stop or _says_nothing(lower, language):
                    yield from _of_one_script(run[start:end], language)
                    start = end + 1


def _of_one_script(run: list[str], language: str) -> Iterator[list[str]]:
    """Cut where Japanese goes over from katakana to kanji: there a word begins."""
    if language != "ja":
        yield run
        return
    for _, part in groupby(run, key=lambda letter: _KATAKANA.match(letter) is not None):
        yield list(part)


def _says_nothing(word: str, language: str) -> bool:
    return (
        not any(letter.isalpha() for letter in word)
        or (language == "ja" and _KANA.match(word) is not None)
        or (word.isascii() and len(word) < FEWEST)
    )


def _grams(run: Sequence[str], language: str) -> Iterator[Sequence[str]]:
    least, most = _SIZES[language]
    # What follows a Korean word are particles: a phrase begins where the word does.
    for start in range(len(run) if language != "ko" else 1):
        for end in range(start + least, min(start + most, len(run)) + 1):
            words = run[start:end]
            # A lone Vietnamese syllable may be anything.
            if len(words) > 1 or language != "vi" or not is_syllable(words[0].lower()):
                yield words


@dataclass
class Tally:
    """The texts that each phrase of one language stands in."""

    language: str
    written: dict[Phrase, str] = field(default_factory=dict)
    texts: dict[Phrase, list[UUID]] = field(default_factory=dict)

    def add(self, text_id: UUID, phrases: dict[Phrase, str]) -> None:
        for phrase, written in phrases.items():
            self.written.setdefault(phrase, written)
            self.texts.setdefault(phrase, []).append(text_id)

    def frequent(self) -> Iterator[tuple[str, list[UUID]]]:
        """Yield phrases of several texts, but none inside a longer one of as many."""
        several = {phrase: ids for phrase, ids in self.texts.items() if len(ids) >= FEWEST}
        inside = {
            part
            for phrase, ids in several.items()
            for part in (phrase[1:], phrase[:-1])
            if len(several.get(part, ())) == len(ids)
        }
        for phrase, ids in several.items():
            if phrase not in inside:
                yield self.written[phrase], ids
