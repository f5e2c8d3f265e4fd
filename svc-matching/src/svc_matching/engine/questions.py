"""The queries that open demands put to one audience, ready to be met by a supply.

A supply is in one language or two, and the demands ask in all: so those of each audience stand
apart, and only the ones that the supply is asked by are gone through.
"""

import numpy as np

from svc_matching.engine import kernels
from svc_matching.engine.arrays import Values
from svc_matching.engine.growing import grown
from svc_matching.engine.sparse_rows import Row, SparseRows, whole
from svc_matching.engine.vectors import QueryVector


class Questions:
    """Slot of a demand → its query.

    The first cell of a row has the terms that count by themselves, each other one a set of which
    the best counts.
    """

    def __init__(self) -> None:
        self._rows = SparseRows()
        self._scores = np.ones(64)
        self._best = np.empty(0, np.int64)
        self._floor = 0

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, slot: int, query: QueryVector) -> None:
        self._rows.put(slot, _row(query))
        self._scores = grown(self._scores, slot + 1, 1)
        self._scores[slot] = query.self_score

    def drop(self, slot: int) -> None:
        self._rows.drop(slot)

    def compact(self) -> None:
        self._rows.compact()

    def ask(self, supply: Row, shares: Values) -> None:
        """Raise each demand's share to what the supply has of its query."""
        size = len(shares)
        if self._rows.size > len(self._best):
            self._best, self._floor = np.zeros(2 * self._rows.size, np.int64), 0
        self._floor += 1 << 32
        self._scores = grown(self._scores, size, 1)
        kernels.ask_back(
            (supply.terms, supply.weights),
            self._rows.postings,
            self._scores,
            self._floor,
            np.zeros(size + 1, np.int32),
            self._best,
            shares,
        )


def _row(query: QueryVector) -> Row:
    if query.sets is None:
        return Row.single(query.ids, query.weights)
    lengths = query.sets.lengths
    is_alone = np.repeat(lengths == 1, lengths)
    order = np.concatenate([np.flatnonzero(is_alone), np.flatnonzero(~is_alone)])
    cells = np.concatenate([[np.count_nonzero(is_alone)], lengths[lengths > 1]]).astype(np.int32)
    return Row(query.ids[order], whole(query.weights[order]), cells)
