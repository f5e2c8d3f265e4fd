"""The versioned weights, read once from `weights.toml` or an operator's file, and checked."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shared.contracts.matches import Family

RELEVANCE = ("terms", "fields", "industries", "ipc", "dense")
SUITABILITY = ("trl", "quantities", "transfer", "country", "language", "ipr", "deadline")
LEVELS = ("workforce", "skills", "infrastructure", "capital", "management", "rnd")
FEASIBILITY = ("price", *LEVELS)
COMPONENTS = (*RELEVANCE, *SUITABILITY, *FEASIBILITY)
DENSE = COMPONENTS.index("dense")
FAMILIES = (
    *(Family.RELEVANCE for _ in RELEVANCE),
    *(Family.SUITABILITY for _ in SUITABILITY),
    *(Family.FEASIBILITY for _ in FEASIBILITY),
)
MILLION = 1_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Weights:
    """One version of what counts how much."""

    version: str
    base: float
    suitability_share: float
    feasibility_share: float
    relevance: tuple[float, ...]
    suitability: tuple[float, ...]
    feasibility: tuple[float, ...]
    list_size: int
    floor: float
    relevant: float
    near_misses: int
    used_age_years: int

    @property
    def blend(self) -> NDArray[np.float64]:
        """What terms, fields, industries and IPC count, for the kernels."""
        return np.array(self.relevance[:DENSE])

    @property
    def dense(self) -> float:
        """What dense vectors count; 0 when they do not."""
        return self.relevance[DENSE]

    def without_dense(self) -> Self:
        """Return what counts where there is no embedder: the terms take the dense vectors' part."""
        terms, *others = self.relevance
        others[DENSE - 1] = 0.0
        return replace(self, relevance=(terms + self.dense, *others))


_SHARES = ("base", "suitability", "feasibility")
_FAMILIES = {
    "shares": _SHARES,
    "relevance": RELEVANCE,
    "suitability": SUITABILITY,
    "feasibility": FEASIBILITY,
}
_TABLES = _FAMILIES | {
    "lists": ("size", "floor"),
    "diagnosis": ("relevant", "near_misses"),
    "rules": ("used_age_years",),
}
_WHOLE = ("lists.size", "diagnosis.near_misses", "rules.used_age_years")


def _convex(table: Mapping[str, float], name: str) -> tuple[float, ...]:
    values = tuple(table[each] for each in _FAMILIES[name])
    if abs(sum(values) - 1) > _ROUNDING:
        raise ValueError(f"weights of {name} must add up to 1")
    return values


def _check(raw: Mapping[str, Any]) -> None:
    if not isinstance(raw.get("version"), str) or not raw["version"]:
        raise ValueError("a weights file needs a version, a text")
    if unknown := raw.keys() - _TABLES.keys() - {"version"}:
        raise ValueError(f"unknown in a weights file: {', '.join(sorted(unknown))}")
    for table, names in _TABLES.items():
        found = raw.get(table, {})
        if not isinstance(found, dict) or found.keys() != set(names):
            raise ValueError(f"the table [{table}] must have exactly {', '.join(names)}")
        for name, value in found.items():
            whole = f"{table}.{name}" in _WHOLE
            # Not «below 0»: NaN is neither below nor above.
            if type(value) not in ((int,) if whole else (int, float)) or not value >= 0:
                what = "whole number" if whole else "number"
                raise ValueError(f"{table}.{name} must be a {what}, not below 0")


def parse_weights(text: str) -> Weights:
    """Read a weights file; ValueError says what is missing, unknown or does not add up to 1."""
    raw = tomllib.loads(text)
    _check(raw)
    shares = _convex(raw["shares"], "shares")
    return Weights(
        version=raw["version"],
        base=shares[0],
        suitability_share=shares[1],
        feasibility_share=shares[2],
        relevance=_convex(raw["relevance"], "relevance"),
        suitability=_convex(raw["suitability"], "suitability"),
        feasibility=_convex(raw["feasibility"], "feasibility"),
        list_size=raw["lists"]["size"],
        floor=raw["lists"]["floor"],
        relevant=raw["diagnosis"]["relevant"],
        near_misses=raw["diagnosis"]["near_misses"],
        used_age_years=raw["rules"]["used_age_years"],
    )


_TEXT = """\
# {note}
version = {version}

# score = relevance × (base + suitability_share × suitability + feasibility_share × feasibility)
[shares]
{shares}

# A side component that is unknown on either side gives its weight to the terms.
[relevance]
{relevance}

[suitability]
{suitability}

[feasibility]
{feasibility}

[lists]
size = {size}
floor = {floor}

[diagnosis]
relevant = {relevant}
near_misses = {near_misses}

[rules]
used_age_years = {used_age_years}
"""


def weights_text(weights: Weights, note: str) -> str:
    """Return the file that `parse_weights` reads as these weights; `note` is its first line."""
    shares = weights.base, weights.suitability_share, weights.feasibility_share
    return _TEXT.format(
        note=note,
        version=json.dumps(weights.version),
        shares=_lines(_SHARES, shares),
        relevance=_lines(RELEVANCE, weights.relevance),
        suitability=_lines(SUITABILITY, weights.suitability),
        feasibility=_lines(FEASIBILITY, weights.feasibility),
        size=weights.list_size,
        floor=weights.floor,
        relevant=weights.relevant,
        near_misses=weights.near_misses,
        used_age_years=weights.used_age_years,
    )


def _lines(names: Sequence[str], values: Sequence[float]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))


def named_weights(weights: Weights) -> dict[str, float]:
    """Return every weight that can be fitted by its name in the file, `relevance.terms`."""
    values = (
        (weights.base, weights.suitability_share, weights.feasibility_share),
        weights.relevance,
        weights.suitability,
        weights.feasibility,
    )
    return {
        f"{table}.{name}": value
        for (table, names), row in zip(_FAMILIES.items(), values, strict=True)
        for name, value in zip(names, row, strict=True)
    }


def read_weights(path: Path) -> Weights:
    """Read an operator's weights file; ValueError names the file and what is wrong with it."""
    try:
        return parse_weights(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"weights file {path}: {error}") from error


def shipped_weights() -> str:
    """Return the text of the weights file that ships with this version."""
    return files(__package__).joinpath("weights.toml").read_text("utf-8")


@cache
def load_weights() -> Weights:
    """Return the weights that ship with this version."""
    return parse_weights(shipped_weights())
