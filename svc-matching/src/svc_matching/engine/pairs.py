"""What the engine says of one demand and one supply, and of a demand's whole list."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from svc_matching.engine.gates import GATE_BITS, RESOURCE_BITS
from svc_matching.engine.scoring import Block
from svc_matching.engine.weights import MILLION


class Pair(NamedTuple):
    """One pair. Whole numbers are millionths; `reasons` is a bit set of `ReasonCode`.

    A freshly scored pair has its components at `place` in `block`; those of a pair that was read
    from the tables stay there.
    """

    supply_id: UUID
    score: int
    relevance: int
    reasons: int
    block: Block | None = None
    place: int = 0

    @property
    def fresh(self) -> bool:
        """Whether it was scored just now, and so is to be written."""
        return self.block is not None

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


class Bar(NamedTuple):
    """What a pair must reach, in millionths, to change a ranking in any of three ways."""

    listed: int = 0
    """The score that enters the list."""
    missed: int = 0
    """The relevance that enters the near misses."""
    witness: int = 0
    """The relevance that makes another supply the witness."""

    @property
    def lowest(self) -> int:
        """The relevance below which nothing changes: a score is never above it."""
        return min(self)

    def is_reached_by(self, pair: Pair) -> bool:
        """Whether the pair can change anything."""
        if pair.reasons and pair.relevance >= self.missed:
            return True
        if not pair.passes:
            return False
        return pair.score >= self.listed or (not pair.blocked and pair.relevance >= self.witness)


NEVER = Bar(*[2 * MILLION] * 3)
"""The bar of a ranking that waits to be made anew: no pair changes it before."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """A demand's list, its near misses, and one supply that makes it MATCHED, if any."""

    listed: tuple[Pair, ...]
    missed: tuple[Pair, ...]
    witness: Pair | None

    def keeping(self, old: "Ranking", changed: Collection[UUID]) -> "Ranking":
        """Return the same ranking with the pairs of `old` that did not change as they were.

        Inside an epoch a pair has one score, so what is stored of it needs no writing.
        """
        listed = {pair.supply_id: pair for pair in old.listed if pair.supply_id not in changed}
        missed = {pair.supply_id: pair for pair in old.missed if pair.supply_id not in changed}
        return Ranking(
            tuple(listed.get(pair.supply_id, pair) for pair in self.listed),
            tuple(missed.get(pair.supply_id, pair) for pair in self.missed),
            self.witness,
        )
