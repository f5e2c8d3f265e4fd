"""Vietnamese syllables: what one looks like, and its form without marks."""

import re
from functools import lru_cache

from shared.kernel.text import strip_marks

_LONGEST = len("nghiêng")
_SYLLABLE = re.compile(
    r"(?:ngh|ng|gh|gi|kh|nh|ph|qu|th|tr|ch|[bcdghklmnpqrstvx])?"
    r"[aeiouy]{1,3}"
    r"(?:ng|nh|ch|[cmnpt])?"
)


@lru_cache(maxsize=16_384)
def fold(syllable: str) -> str:
    """Return the syllable without marks: «sấy» → «say»."""
    return strip_marks(syllable)


@lru_cache(maxsize=16_384)
def is_syllable(word: str) -> bool:
    """Whether a lower-case word is built like one Vietnamese syllable, marks or not."""
    return len(word) <= _LONGEST and _SYLLABLE.fullmatch(fold(word)) is not None
