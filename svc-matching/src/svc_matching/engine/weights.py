"""The versioned weights, read once from `weights.toml` and checked to be convex."""

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

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
    def has_dense(self) -> bool:
        """Whether dense vectors count at all."""
        return self.relevance[DENSE] > 0

    def without_dense(self) -> "Weights":
        """Return what counts where there is no embedder: the terms take the dense vectors' part."""
        terms, *others = self.relevance
        others[DENSE - 1] = 0.0
        return replace(self, relevance=(terms + self.relevance[DENSE], *others))


def _convex(values: tuple[float, ...], name: str) -> tuple[float, ...]:
    if min(values) < 0 or abs(sum(values) - 1) > _ROUNDING:
        raise ValueError(f"weights of {name} must not be negative and must add up to 1")
    return values


def parse_weights(text: str) -> Weights:
    """Read a weights file; ValueError when a family does not add up to 1."""
    raw = tomllib.loads(text)
    shares = _convex(tuple(raw["shares"].values()), "shares")
    return Weights(
        version=raw["version"],
        base=shares[0],
        suitability_share=shares[1],
        feasibility_share=shares[2],
        relevance=_convex(tuple(raw["relevance"][name] for name in RELEVANCE), "relevance"),
        suitability=_convex(tuple(raw["suitability"][name] for name in SUITABILITY), "suitability"),
        feasibility=_convex(tuple(raw["feasibility"][name] for name in FEASIBILITY), "feasibility"),
        list_size=raw["lists"]["size"],
        floor=raw["lists"]["floor"],
        relevant=raw["diagnosis"]["relevant"],
        near_misses=raw["diagnosis"]["near_misses"],
        used_age_years=raw["rules"]["used_age_years"],
    )


@cache
def load_weights() -> Weights:
    """Return the weights that ship with this version."""
    return parse_weights(files(__package__).joinpath("weights.toml").read_text("utf-8"))
