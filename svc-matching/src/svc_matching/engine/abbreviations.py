"""Short forms and what they stand for, from `abbreviations.toml`: «HTX» is a «hợp tác xã».

One that is a label of a concept («UAV») is left to the vocabulary: spelt out as well, the concept
would count twice. In Vietnamese it is spelt out all the same, because its words are translated.
"""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files

from svc_matching.engine.in_use import kept, vocabulary
from svc_matching.engine.vietnamese import fold, is_syllable

_LATIN = r"[^\W\d_\u1100-\u11ff\u2e80-\uffff]+"
_WORD = re.compile(rf"{_LATIN}(?:&{_LATIN})?")
_SHORTEST_FOLDED = 4
"""Shorter forms without their marks stand for too many things."""
_SHORTEST_LOWER = 3


@kept()
def abbreviations(language: str) -> Mapping[str, str]:
    """Return every spelling that is read, with what it stands for."""
    text = files(__package__).joinpath("abbreviations.toml").read_text("utf-8")
    labels = {label for label, _ in vocabulary().labels(language)} if language != "vi" else set()
    found: dict[str, str] = {}
    for short, full in tomllib.loads(text).get(language, {}).items():
        if short in labels:
            continue
        spellings = {short}
        if len(short) >= _SHORTEST_FOLDED:
            spellings.add(fold(short))
        if len(short) >= _SHORTEST_LOWER:
            spellings |= {each.lower() for each in spellings if not is_syllable(each.lower())}
            spellings |= {each.upper() for each in spellings}
        for spelling in spellings:
            found.setdefault(spelling, full)
    return found


def spell_out(text: str, language: str) -> str:
    """Return `text` with what each short form stands for behind its first use, in brackets.

    What a text spells out itself is left as it is.
    """
    known = abbreviations(language)
    if not known:
        return text
    used = known.keys() & set(_WORD.findall(text))
    wanted = {short for short in used if known[short].lower() not in text.lower()} if used else used
    if not wanted:
        return text

    def spelt(word: re.Match[str]) -> str:
        if word[0] not in wanted:
            return word[0]
        wanted.discard(word[0])
        return f"{word[0]} ({known[word[0]]})"

    return _WORD.sub(spelt, text)
