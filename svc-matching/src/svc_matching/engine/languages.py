"""Tell the language of a text by its script and marks when it is missing or plainly wrong.

This is a guess good enough to choose an analyser, not a language detector.
"""

import re

from svc_matching.engine.stopwords import ENGLISH, GERMAN
from svc_matching.engine.vietnamese import is_syllable

_HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_VIETNAMESE = re.compile(r"[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]")
_GERMAN = re.compile(r"[äöüß]")
_WORD = re.compile(r"[^\W\d_]+")
_SAMPLE = 800
_ENOUGH_WORDS = 5


def _by_script(text: str) -> str | None:
    if len(_HANGUL.findall(text)) * 5 > len(text):
        return "ko"
    kana = len(_KANA.findall(text))
    if (kana + len(_HAN.findall(text))) * 5 > len(text):
        return "ja" if kana * 20 > len(text) else "zh"
    if len(_VIETNAMESE.findall(text)) * 25 > len(text):
        return "vi"
    return None


def _by_words(text: str) -> tuple[str, bool]:
    words = _WORD.findall(text)
    if not words:
        return "en", False
    english = sum(word in ENGLISH for word in words)
    german = sum(word in GERMAN for word in words) + 2 * len(_GERMAN.findall(text))
    if german > english and german * 10 >= len(words):
        return "de", len(words) >= _ENOUGH_WORDS
    syllables = sum(is_syllable(word) for word in words)
    if syllables * 10 >= len(words) * 8 and english * 4 < len(words):
        return "vi", False
    return "en", len(words) >= _ENOUGH_WORDS and english * 10 >= len(words)


def choose_language(text: str, declared: str | None) -> str:
    """Return the language to analyse `text` in; `declared` wins unless it is plainly wrong.

    Plainly wrong: another script, Vietnamese marks throughout, or a Vietnamese label on running
    English or German text.
    """
    sample = text[:_SAMPLE].lower()
    found = _by_script(sample)
    if found is not None:
        # Japanese titles may be all Han, and Chinese text never holds kana.
        return "ja" if declared == "ja" and found == "zh" else found
    guess, sure = _by_words(sample)
    if declared is None:
        return guess
    if declared in {"vi", "ko", "ja", "zh"} and sure:
        return guess
    return declared
