"""Provinces before and after the merger of 2025-07-01, under one code list.

A merged province took the code of one of its parts, so `24` alone is Bắc Giang until that day and
Bắc Ninh from it on. Counts are kept by the code as given; each entry also names the province of
today.
"""

from shared.contracts.places import CURRENT_NAMES, PROVINCES


def current_province(code: str) -> str:
    """Return the code of the province of today that `code` belongs to."""
    return PROVINCES[code][1]


def name_of(code: str) -> str:
    """Return the name that belongs to a code in the list as it was before the merger."""
    return PROVINCES[code][0]


def current_name_of(code: str) -> str:
    """Return the name of a province of today."""
    return CURRENT_NAMES.get(code) or PROVINCES[code][0]
