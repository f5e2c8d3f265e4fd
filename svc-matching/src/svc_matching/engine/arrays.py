"""What arrays of pairs are called."""

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]
"""For each pair the slot of its supply."""

Values = NDArray[np.float64]
Known = NDArray[np.bool_]
Column = tuple[Values, Known]
"""A component of some pairs: values in [0, 1], and whether each is known."""

NEUTRAL = 0.5
"""What a component counts that is not known."""


def unknown(count: int) -> Column:
    return np.full(count, NEUTRAL), np.zeros(count, np.bool_)
