"""What a dashboard is asked about."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A cut through the numbers; None is no limit.

    The months choose demands and supplies by the month of their first publication (unpublished
    demands by the month they arrived); matches, diagnoses and times follow their demand.
    `country` is that of the supply and leaves the demands' own counts alone.
    """

    provinces: frozenset[str] | None = None
    field: str | None = None
    country: str | None = None
    first_month: date | None = None
    last_month: date | None = None
