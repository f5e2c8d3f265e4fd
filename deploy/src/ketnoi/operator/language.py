"""The two languages in which the command line answers."""

from collections.abc import Mapping
from enum import StrEnum


class Language(StrEnum):
    """Vietnamese comes first."""

    VI = "vi"
    EN = "en"


def language_of(variables: Mapping[str, str]) -> Language:
    """Return English for who asked the system for English, else Vietnamese."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := variables.get(name):
            return Language.EN if value.lower().startswith("en") else Language.VI
    return Language.VI
