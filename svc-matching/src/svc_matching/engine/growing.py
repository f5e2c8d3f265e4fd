"""Arrays by slot that grow as slots are given out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grown(old: NDArray[Any], needed: int, fill: int = 0) -> NDArray[Any]:
    """Return the array with at least as many places as needed, the new ones filled."""
    if needed <= len(old):
        return old
    longer = np.full((max(needed, 2 * len(old)), *old.shape[1:]), fill, old.dtype)
    longer[: len(old)] = old
    return longer
