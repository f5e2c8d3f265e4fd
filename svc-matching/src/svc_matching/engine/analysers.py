"""Turn text into terms, one analyser per kind of language behind one interface.

Terms live in one space; a prefix keeps Vietnamese apart from Latin stems that look alike:
`=sấy` is a syllable as written, `~say` its shadow without marks, `~say_che` a pair of shadows.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

import Stemmer

from shared.kernel.text import unify_tone_placement
from svc_matching.engine.stopwords import ENGLISH, GERMAN, VIETNAMESE
from svc_matching.engine.vietnamese import fold, is_syllable

ANALYSER_VERSION = "4"
"""Changes with the terms, and with the quantities that are read from text (`units.toml` …)."""
MAX_WORD = 40
_CHARACTERS = frozenset({"ko", "ja", "zh"})

_CJK = "\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+|[.,;:!?()\[\]/\n]")
_RUN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_CHARACTER = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_SCRIPT_WORD = re.compile("[\u1100-\u11ff\uac00-\ud7af]+|[\u30a0-\u30ff]+")
_IS_CJK = re.compile(rf"[{_CJK}]")

_ENGLISH_STEMMER = Stemmer.Stemmer("english")
_GERMAN_STEMMER = Stemmer.Stemmer("german")


@dataclass(slots=True)
class TermCounts:
    """The terms of one text. `length` counts words, not shadows or bigrams."""

    counts: Counter[str] = field(default_factory=Counter)
    length: int = 0


@lru_cache(maxsize=32_768)
def _english(word: str) -> str:
    return str(_ENGLISH_STEMMER.stemWord(word))


@lru_cache(maxsize=8_192)
def _german(word: str) -> str:
    return str(_GERMAN_STEMMER.stemWord(word))


def _normal(text: str) -> str:
    return unify_tone_placement(unicodedata.normalize("NFC", text).lower())


def _tokens(text: str) -> list[str]:
    tokens: list[str] = _TOKEN.findall(text)
    return [token[:MAX_WORD] for token in tokens]


def _bigrams(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] if len(run) > 1 else [run]


def _is_word(token: str) -> bool:
    return token[0].isalnum() and not token.isdecimal()


def in_characters(language: str) -> bool:
    """Whether a language is compared character by character: it writes no spaces, or any."""
    return language in _CHARACTERS


@lru_cache(maxsize=16)
def words_of(text: str, language: str) -> Sequence[str]:
    """Return a text's words as written, in order, for `form_of` and for showing.

    In Korean, Japanese and Chinese these are characters, and words of Latin letters and digits;
    in Vietnamese punctuation stays, since no compound reaches across it.
    """
    whole = unify_tone_placement(unicodedata.normalize("NFC", text))
    if in_characters(language):
        return _CHARACTER.findall(whole)
    if language == "vi":
        return _tokens(whole)
    return [word[:MAX_WORD] for word in _RUN.findall(whole) if len(word) > 1]


def form_of(word: str, language: str) -> str:
    """Return what a word of `words_of` is compared by."""
    lower = word.lower()
    if language == "vi" or in_characters(language):
        return lower
    return _german(lower) if language == "de" else _english(lower)


def terms_of(phrase: str, language: str) -> list[str]:
    """Return the different terms of a phrase that carry meaning, as `analyse` makes them."""
    return list(analyse(phrase, language).counts)


def _latin(text: str, stem: Callable[[str], str], stop: frozenset[str]) -> TermCounts:
    found = TermCounts()
    # Order does not matter here, so each different word is looked at once.
    for word, count in Counter(_RUN.findall(text)).items():
        if word in stop or word.isdecimal():
            continue
        if _IS_CJK.match(word):
            terms = _bigrams(word)
        elif len(word) > 1:
            terms = [stem(word[:MAX_WORD])]
        else:
            continue
        found.length += count * len(terms)
        for term in terms:
            found.counts[term] += count
    return found


class _Form(Enum):
    NO_WORD = auto()
    CJK = auto()
    SYLLABLE = auto()
    WORD = auto()


@lru_cache(maxsize=32_768)
def _form(token: str) -> tuple[_Form, str]:
    """Return what a token is, and the token in lower case."""
    lower = token.lower()
    if not _is_word(token):
        form = _Form.NO_WORD
    elif _IS_CJK.match(token):
        form = _Form.CJK
    else:
        form = _Form.SYLLABLE if is_syllable(lower) else _Form.WORD
    return form, lower


def _vietnamese(text: str) -> TermCounts:
    found = TermCounts()
    terms: list[str] = []
    previous: str | None = None
    for token in _tokens(text):
        form, _ = _form(token)
        if form is _Form.SYLLABLE:
            found.length += token not in VIETNAMESE
            terms += _syllable_terms(previous, token)
            previous = token
            continue
        previous = None
        if form is not _Form.NO_WORD:
            found.length += 1
            terms += _bigrams(token) if form is _Form.CJK else [_english(token)]
    found.counts.update(terms)
    return found


@lru_cache(maxsize=65_536)
def _syllable_terms(previous: str | None, syllable: str) -> tuple[str, ...]:
    """Return the terms of a syllable and of the pair that it ends.

    A stop word counts beside a word that is none: «bằng» says nothing, «cân bằng» does. Pairs need
    no exact form: two syllables without marks are hardly ever ambiguous.
    """
    shadow, stops = fold(syllable), syllable in VIETNAMESE
    terms = () if stops else (f"={syllable}", f"~{shadow}")
    if previous is None or (stops and previous in VIETNAMESE):
        return terms
    return (*terms, f"~{fold(previous)}_{shadow}")


def analyse(text: str, language: str) -> TermCounts:
    """Return the terms of `text`; unknown languages are read as English.

    Korean, Japanese and Chinese become character bigrams; Latin words inside them English stems.
    """
    normal = _normal(text)
    if language == "vi":
        return _vietnamese(normal)
    if language == "de":
        return _latin(normal, _german, GERMAN)
    return _latin(normal, _english, ENGLISH)


def _whole(gram: str, run: str) -> str:
    """Return the word around two characters, where the script shows its ends (한글, カタカナ)."""
    return next((word for word in _SCRIPT_WORD.findall(run) if gram in word), gram)


def surfaces(text: str, language: str) -> dict[str, str]:
    """Return for each term of `text` the words behind it, as first written there."""
    stem = _german if language == "de" else _english
    found: dict[str, str] = {}
    previous: str | None = None
    for word in _tokens(unify_tone_placement(unicodedata.normalize("NFC", text))):
        kind, lower = _form(word)
        if kind is _Form.SYLLABLE and language == "vi":
            for key in _syllable_terms(previous and previous.lower(), lower):
                if key not in found:
                    found[key] = f"{previous} {word}" if "_" in key else word
            previous = word
            continue
        previous = None
        if kind is _Form.CJK:
            found |= {gram: _whole(gram, word) for gram in _bigrams(word) if gram not in found}
        elif kind is not _Form.NO_WORD:
            found.setdefault(stem(lower), word)
    return found
