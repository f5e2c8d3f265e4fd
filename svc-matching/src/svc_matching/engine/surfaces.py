"""The words of a text behind its terms, found when somebody is shown them."""

import unicodedata

from shared.kernel.text import strip_marks, unify_tone_placement
from svc_matching.engine.analysers import surfaces
from svc_matching.engine.tagging import BROADER, CONCEPT, concept_surfaces
from svc_matching.engine.translations import UNIT


class _Folding(dict[int, str]):
    """Each letter without its mark, in one place as before."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        bare = strip_marks(letter)
        self[code] = found = bare if len(bare) == 1 else letter
        return found


_folding = _Folding()


class Surfaces:
    """A text in which terms are looked up."""

    def __init__(self, text: str, language: str) -> None:
        self._text = unify_tone_placement(unicodedata.normalize("NFC", text))
        self._language = language
        self._words: dict[str, str] | None = None
        self._concepts: dict[str, str] | None = None
        lower = self._text.lower()
        # A letter that is longer in lower case would move all that follow.
        is_searched = language == "vi" and len(lower) == len(self._text)
        self._lower = lower if is_searched else ""
        self._folded = self._lower.translate(_folding)

    def behind(self, term: str) -> str | None:
        """Return the words as first written; None when they do not stand there as such."""
        if term[0] == CONCEPT:
            if self._concepts is None:
                self._concepts = concept_surfaces(self._text, self._language)
            return self._concepts.get(term[1:])
        if term[0] in (BROADER, UNIT):
            return None
        return self._searched(term) or self._read().get(term)

    def _searched(self, term: str) -> str | None:
        """Search for a Vietnamese term, which is much less work than to read the whole text."""
        if term[0] not in "=~":
            return None
        wanted = term[1:].replace("_", " ")
        text = self._lower if term[0] == "=" else self._folded
        start = text.find(wanted)
        while start >= 0:
            end = start + len(wanted)
            before, after = text[start - 1 : start], text[end : end + 1]
            if not (before.isalnum() or after.isalnum()):
                return self._text[start:end]
            start = text.find(wanted, end)
        return None

    def _read(self) -> dict[str, str]:
        if self._words is None:
            self._words = surfaces(self._text, self._language)
        return self._words
