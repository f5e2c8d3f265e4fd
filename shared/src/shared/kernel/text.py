"""Vietnamese-safe text: one form to store (NFC), one key to find by (`search_key`).

NFC alone does not unify the two accepted ways to place a tone mark (thuỷ = thủy, hoà = hòa),
and `đ` survives the stripping of marks, so both need rules of their own.
"""

import re
import unicodedata
from functools import lru_cache

_ZERO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SPACES = re.compile(r"\s+")
_MARKS = re.compile("[\u0300-\u036f]+")

# The mark moves to the second vowel of an open oa, oe, uy (the newer placement): hòa -> hoà.
_TONES = "\u0300\u0301\u0309\u0303\u0323"  # huyền, sắc, hỏi, ngã, nặng
_OLD_TO_NEW = {
    unicodedata.normalize("NFC", pair[0] + tone) + pair[1]: pair[0]
    + unicodedata.normalize("NFC", pair[1] + tone)
    for pair in ("oa", "oe", "uy", "Oa", "Oe", "Uy", "OA", "OE", "UY")
    for tone in _TONES
}
_OLD_PLACEMENT = re.compile("(" + "|".join(map(re.escape, _OLD_TO_NEW)) + r")(?!\w)")


def clean(text: str) -> str:
    """Return `text` in NFC without control characters (tab and line breaks stay).

    NUL and lone surrogates raise ValueError: Postgres and UTF-8 can hold neither.
    """
    if text.isprintable():  # none of them is
        return unicodedata.normalize("NFC", text)
    if "\x00" in text:
        raise ValueError("contains the NUL character (U+0000)")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("contains half a surrogate pair; send valid Unicode") from error
    return _CONTROL.sub("", unicodedata.normalize("NFC", text))


def unify_tone_placement(text: str) -> str:
    """Return NFC `text` with tone marks of open oa, oe, uy on the second vowel."""
    return _OLD_PLACEMENT.sub(lambda found: _OLD_TO_NEW[found.group(1)], text)


def strip_marks(text: str) -> str:
    """Return `text` without diacritics, `đ` as `d`: «chế biến» → «che bien»."""
    if text.isascii():
        return text
    bare = _MARKS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare.replace("đ", "d").replace("Đ", "D"))


def search_key(text: str) -> str:
    """Return the folded key under which every spelling of a name meets."""
    return " ".join([key for word in text.split() if (key := _word_key(word))])


@lru_cache(maxsize=16_384)
def _word_key(word: str) -> str:
    """Fold one word: a language has few syllables, and a file of names repeats them."""
    folded = unicodedata.normalize("NFKC", _ZERO_WIDTH.sub("", word)).casefold()
    return _SPACES.sub(" ", strip_marks(folded)).strip()
