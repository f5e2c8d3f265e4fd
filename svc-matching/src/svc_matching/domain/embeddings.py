"""Which words of a demand or supply its embedding is made of."""

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile

TEXT_FIELDS = ("title", "summary", "description", "expected_outcome", "keywords")
"""While these stay as they are, so does the embedding."""


def text_of(profile: DemandProfile | SupplyProfile, most_characters: int) -> str:
    """Return the original's words, best first; what is too long loses its end."""
    given = (getattr(profile, name, None) for name in TEXT_FIELDS)
    pieces = (", ".join(piece) if isinstance(piece, (list, tuple)) else piece for piece in given)
    return "\n".join(piece for piece in pieces if piece)[:most_characters]
