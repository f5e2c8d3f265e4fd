"""Find what a quantity measures: by its name, or in running text by the words around it."""

import re
import tomllib
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from shared.kernel.text import search_key
from svc_matching.engine.units import read_unit

_AFTER = 8
"""Characters that a name after the amount counts as farther than one before it."""


@cache
def concept_words() -> dict[str, Any]:
    """Return the file of concepts."""
    raw: dict[str, Any] = tomllib.loads(
        files(__package__).joinpath("concepts.toml").read_text("utf-8")
    )
    return raw


@cache
def _concepts() -> dict[str, str]:
    """Return name → concept, the longest first."""
    names = concept_words()["names"].items()
    found = {search_key(name): concept for concept, written in names for name in written}
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))


def _dimensions(units: list[str]) -> frozenset[str]:
    return frozenset(unit.dimension for unit in map(read_unit, units) if unit)


@cache
def _measured_in() -> dict[str, frozenset[str]]:
    return {
        concept: _dimensions(units) for concept, units in concept_words()["measured_in"].items()
    }


@cache
def _measurable() -> frozenset[str]:
    return frozenset().union(*_measured_in().values())


@cache
def _implied() -> dict[str, str]:
    """Return dimension → the concept that it means when nothing names one."""
    implied = concept_words()["implied"].items()
    return {dimension: concept for concept, units in implied for dimension in _dimensions(units)}


@lru_cache(maxsize=8192)
def concept_of(name: str) -> str:
    """Return the concept named in a quantity's name, the longest if several; else the name itself.

    «công suất chè tươi» is a capacity: names say what is measured and then of what.
    """
    key = search_key(name)
    spaced = f" {key} "
    for known, concept in _concepts().items():
        if known in key if not known.isascii() else f" {known} " in spaced:
            return concept
    return key


def settle(concept: str, dimension: str) -> str:
    """Return the concept that a unit makes of another: a «công suất» or «Leistung» in kW is power.

    Only concepts that are told apart by their unit alone are settled.
    """
    implied = _implied().get(dimension, concept)
    return implied if {concept, implied} <= {"capacity", "power"} else concept


def stated_concept(name: str, dimension: str) -> str:
    """Return the concept of a structured field, whose name and unit belong together.

    A capacity in litres is a volume, and a yield is a recovery in per cent only: in t/ha it is
    what a field brings in.
    """
    concept = settle(concept_of(name), dimension)
    if concept == "capacity" and dimension in _dimensions(["m3"]):
        return "volume"
    return "capacity" if concept == "recovery" and dimension else concept


@cache
def _named() -> re.Pattern[str]:
    """Return a pattern of all names in folded text; Latin names end where words end."""
    latin = "|".join(re.escape(name) for name in _concepts() if name.isascii())
    others = "|".join(re.escape(name) for name in _concepts() if not name.isascii())
    return re.compile(rf"(?<![a-z])(?:{latin})(?![a-z])|(?=[^\x00-\u02ff])(?:{others})")


def concept_near(lead: str, tail: str, dimension: str) -> str | None:
    """Return the concept named nearest to an amount, of those measured in its dimension.

    `lead` and `tail` are the folded text before and after it; a name may also lie around the
    amount («tiết kiệm 30 % điện»). With no name the dimension may speak for itself.
    """
    if dimension not in _measurable():
        return None
    text, middle = f"{lead.rstrip()} {tail.lstrip()}", len(lead.rstrip())
    best, nearest = _implied().get(dimension), len(text) + _AFTER
    for found in _named().finditer(text):
        concept = settle(_concepts()[found[0]], dimension)
        if dimension not in _measured_in().get(concept, ()):
            continue
        start, end = found.span()
        distance = max(middle - end, start + _AFTER - middle if start >= middle else 0)
        if distance < nearest:
            best, nearest = concept, distance
    return best
