"""Where the supplies come from that a demand looks at closely.

A source says which supplies are worth it, and no more: gates, components, thresholds and lists are
made by the ranking, from this process's own rows and columns, whichever source is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from svc_matching.engine.arrays import Slots, Values
from svc_matching.engine.demand_index import DemandEntry
from svc_matching.engine.lexicon import Lexicon
from svc_matching.engine.supply_index import SupplyIndex

CANDIDATES = 1000
"""How many a demand asks of a source that cannot give all: fifty times a list, because gates come
after."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Some indexed supplies, in rising slots, and their exact relevance by terms to one demand.

    `terms` has a place for every slot of the index; those of other supplies say nothing.
    """

    slots: Slots
    terms: Values

    @property
    def among(self) -> NDArray[np.bool_]:
        """Whether each slot of the index is one of them."""
        found = np.zeros(len(self.terms), np.bool_)
        found[self.slots] = True
        return found


class CandidateSource(Protocol):
    """Follows the supply index and is asked for candidates; never for scores."""

    def upsert(self, supply_id: UUID) -> None:
        """Hear that a supply was added or changed; may put the work off until it is asked."""
        ...

    def delete(self, supply_id: UUID) -> None:
        """Hear that a supply has left; may put the work off until it is asked."""
        ...

    def renew(self) -> None:
        """Hear that all supplies have new impacts."""
        ...

    def search(self, demands: Sequence[DemandEntry], count: int) -> list[Candidates]:
        """Return for each demand at least the `count` most relevant supplies by terms.

        An UnavailableError says that nothing can be said now; the next call tries again.
        """
        ...


SourceOf = Callable[[SupplyIndex, Lexicon], CandidateSource]
"""Makes the source that follows an index whose terms a lexicon numbers."""


class LocalIndex:
    """Every supply, exactly: the index is the source."""

    def __init__(self, supplies: SupplyIndex, _: Lexicon) -> None:
        self._supplies = supplies

    def upsert(self, supply_id: UUID) -> None:
        """The index has it already."""

    def delete(self, supply_id: UUID) -> None:
        """The index has let it go already."""

    def renew(self) -> None:
        """The index has them already."""

    def search(
        self,
        demands: Sequence[DemandEntry],
        count: int,  # noqa: ARG002 - the port's: here there is no need to leave any out
    ) -> list[Candidates]:
        """Return all supplies, however few are asked for."""
        slots = np.flatnonzero(self._supplies.indexed())
        return [Candidates(slots, terms) for terms in self._supplies.terms(demands)]
