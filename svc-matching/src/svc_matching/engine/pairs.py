"""What the engine says of one demand and one supply, and of a demand's whole list."""

from dataclasses import dataclass
from uuid import UUID

from svc_matching.engine.gates import GATE_BITS, RESOURCE_BITS


@dataclass(frozen=True, slots=True)
class Pair:
    """One scored pair. Whole numbers are millionths; `reasons` is a bit set of `ReasonCode`."""

    supply_id: UUID
    score: int
    relevance: int
    reasons: int
    about: float
    values: tuple[float, ...]
    known: tuple[bool, ...]

    @property
    def passes(self) -> bool:
        """Whether the pair may be ranked."""
        return not self.reasons & GATE_BITS

    @property
    def blocked(self) -> bool:
        """Whether money or absorption stand in the way."""
        return bool(self.reasons & RESOURCE_BITS)

    @property
    def rank_key(self) -> tuple[int, UUID]:
        """Best first; equal scores fall back to the id, so that reruns agree."""
        return -self.score, self.supply_id

    @property
    def miss_key(self) -> tuple[int, UUID]:
        """Most relevant first."""
        return -self.relevance, self.supply_id


@dataclass(frozen=True, slots=True)
class Ranking:
    """A demand's list, its near misses, and one supply that makes it MATCHED, if any."""

    listed: tuple[Pair, ...]
    missed: tuple[Pair, ...]
    witness: Pair | None
