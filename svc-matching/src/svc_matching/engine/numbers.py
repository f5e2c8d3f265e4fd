"""Read numbers as six languages write them; points and commas mean different things in them."""

import re
from math import isfinite

MAX_NUMBER = 24
"""Characters of a number; what is longer is no measurement."""

_COMMA_LANGUAGES = frozenset({"vi", "de"})
_GROUPED = re.compile(r"[0-9]{1,3}([.,])[0-9]{3}(?:\1[0-9]{3})*")


def read_number(written: str, language: str) -> float | None:
    """Return the size of «1.500,5», «1,500.5» or «1.500»; None for what no language writes.

    Two signs: the last is the decimal one. One sign before groups of three: thousands, unless it
    is the language's decimal sign. «1,500» is one and a half in German; in Vietnamese only when
    it does not end in 0, because many write it for 1500. «0,500» is a half everywhere.
    """
    if len(written) > MAX_NUMBER:
        return None
    point, comma = written.rfind("."), written.rfind(",")
    if point >= 0 and comma >= 0:
        decimal = "." if point > comma else ","
    else:
        decimal = _only_sign(written, language)
    whole, _, part = written.rpartition(decimal) if decimal in written else (written, "", "")
    digits = whole.replace(".", "").replace(",", "")
    if decimal in whole or not digits.isdecimal():
        return None
    size = float(f"{digits}.{part or 0}")
    return size if isfinite(size) else None


def _only_sign(written: str, language: str) -> str:
    """Return the decimal sign of a number with at most one kind of sign."""
    decimal, thousands = (",", ".") if language in _COMMA_LANGUAGES else (".", ",")
    grouped = _GROUPED.fullmatch(written)
    if not grouped or written.startswith("0"):
        return "," if "," in written else "."
    if written.count(grouped[1]) > 1:
        return thousands if grouped[1] == decimal else decimal
    if language == "vi" and grouped[1] == "," and written.endswith("0"):
        return "."
    return decimal
