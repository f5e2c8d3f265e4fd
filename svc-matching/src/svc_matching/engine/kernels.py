"""The hot loops, compiled to machine code by numba: products of terms with an inverted index.

All signatures are given, so everything is compiled when this module is first imported, and read
from numba's cache at every later import. Kernels hold no lock of the interpreter, start no thread
and keep nothing. Sums are of whole numbers, and a share is a single division: a pair has one
value, whichever kernel finds it.

Rows of weights are kept in cells: a row is one cell, or one for each of its sets of terms.
"""

import numpy as np
from numba import types
from numpy.typing import NDArray

from svc_matching.engine.compiling import array, compiled, part, tuple_of

I4 = NDArray[np.int32]
I8 = NDArray[np.int64]
U2 = NDArray[np.uint16]
U8 = NDArray[np.uint64]
F8 = NDArray[np.float64]

Base = tuple[I8, I4, U2]
"""Postings: starts by term, cells, weights."""

Delta = tuple[I4, I4, I4, U2]
"""Chains of postings: the first by term, the next of each, cells, weights."""

Rows = tuple[I8, I4, U2, I8, I4, U2]
"""Starts by cell, terms, weights: of the base, then of the delta."""

Cells = tuple[Base, Delta, I4]
"""Postings with the owner of each cell, -1 for none."""

Asked = tuple[I4, I4, I4, I4, F8, U8]
"""Starts of sets by query, of terms by set; terms, weights; self-score and audience by query."""


Supply = tuple[I4, U2]
"""Terms and impacts."""

SIDES = 3
"""Fields, industries, IPC."""

Sides = tuple[tuple[F8, F8, F8], tuple[I4, I4, I4]]
"""For each side the nearness by set of codes (none: unknown), and the set of each row."""


_I4, _FIXED_I4 = array(types.int32), array(types.int32, fixed=True)
_I8, _FIXED_I8 = array(types.int64), array(types.int64, fixed=True)
_U2, _FIXED_U2 = array(types.uint16), array(types.uint16, fixed=True)
_U8, _F8 = array(types.uint64), array(types.float64)
_BASE = tuple_of(_FIXED_I8, _FIXED_I4, _FIXED_U2)
_DELTA = tuple_of(_I4, _I4, _I4, _U2)
_ROWS = tuple_of(_FIXED_I8, _FIXED_I4, _FIXED_U2, _I8, _I4, _U2)
_CELLS = tuple_of(_BASE, _DELTA, _I4)
_SUPPLY = tuple_of(_FIXED_I4, _FIXED_U2)
_SIDES = tuple_of(tuple_of(_F8, _F8, _F8), tuple_of(_I4, _I4, _I4))
_ASKED = tuple_of(_I4, _I4, _I4, _I4, _F8, _U8)


@part
def _add(term: int, weight: int, cells: Cells, totals: I4) -> None:
    """Add a term's products to the owner of every cell that has it."""
    (starts, early, early_weights), (heads, nexts, late, late_weights), owners = cells
    if term < len(starts) - 1:
        for place in range(starts[term], starts[term + 1]):
            totals[owners[early[place]]] += weight * early_weights[place]
    if term < len(heads):
        place = heads[term]
        while place >= 0:
            totals[owners[late[place]]] += weight * late_weights[place]
            place = nexts[place]


@part
def _add_best(term: int, weight: int, floor: int, cells: Cells, best: I8, totals: I4) -> None:
    """Let a term's products count as far as they are more than the best before in their cell.

    `floor` grows from set to set, so what `best` holds of earlier ones is below it.
    """
    (starts, early, early_weights), (heads, nexts, late, late_weights), owners = cells
    if term < len(starts) - 1:
        for place in range(starts[term], starts[term + 1]):
            cell = early[place]
            known, found = max(best[cell], floor), floor + weight * early_weights[place]
            if found > known:
                best[cell] = found
                totals[owners[cell]] += found - known
    if term < len(heads):
        place = heads[term]
        while place >= 0:
            cell = late[place]
            known, found = max(best[cell], floor), floor + weight * late_weights[place]
            if found > known:
                best[cell] = found
                totals[owners[cell]] += found - known
            place = nexts[place]


@compiled(_ASKED, _CELLS, _U8, _I4, _I8, _F8)
def ask_all(asked: Asked, supplies: Cells, spoken: U8, totals: I4, best: I8, shares: F8) -> None:
    """Raise each slot's share to the best that it has of any query of one demand.

    `spoken` are the languages of each slot. `totals` has a place for each slot and one for what
    nobody owns, `best` one for each cell; what it held before must be 0.
    """
    first_sets, first_terms, terms, weights, self_scores, audiences = asked
    for query in range(len(self_scores)):
        totals[:] = 0
        for each in range(first_sets[query], first_sets[query + 1]):
            first, last = first_terms[each], first_terms[each + 1]
            if last - first == 1:
                _add(terms[first], weights[first], supplies, totals)
            else:
                floor = (each + 1) << 32
                for place in range(first, last):
                    _add_best(terms[place], weights[place], floor, supplies, best, totals)
        score, audience = self_scores[query], audiences[query]
        for slot in range(len(shares)):
            if totals[slot] > 0 and (audience == 0 or spoken[slot] & audience):
                shares[slot] = max(shares[slot], min(totals[slot] / score, 1.0))


@part
def _ask(asked: Asked, query: int, row: I4) -> int:
    """Return the product of one query with one row, spread out by term."""
    first_sets, first_terms, terms, weights, _, _ = asked
    total = 0
    for each in range(first_sets[query], first_sets[query + 1]):
        best = 0
        for place in range(first_terms[each], first_terms[each + 1]):
            best = max(best, weights[place] * row[terms[place]])
        total += best
    return total


@compiled(_ASKED, _ROWS, _I8, _U8, _I4, _F8)
def ask_some(asked: Asked, rows: Rows, cells: I8, spoken: U8, row: I4, shares: F8) -> None:
    """Raise the share of some cells to the best that each has of any query of one demand.

    `spoken` are the languages of each of them. `row` has a place for each term, all zero.
    """
    starts, terms, weights, late_starts, late_terms, late_weights = rows
    _, _, _, _, self_scores, audiences = asked
    size = len(starts) - 1
    for number in range(len(cells)):
        cell = cells[number]
        if cell < size:
            first, last = starts[cell], starts[cell + 1]
            ids, values = terms[first:last], weights[first:last]
        else:
            first, last = late_starts[cell - size], late_starts[cell - size + 1]
            ids, values = late_terms[first:last], late_weights[first:last]
        for place in range(len(ids)):
            row[ids[place]] = values[place]
        for query in range(len(self_scores)):
            audience = audiences[query]
            if audience == 0 or spoken[number] & audience:
                share = min(_ask(asked, query, row) / self_scores[query], 1.0)
                shares[number] = max(shares[number], share)
        for place in range(len(ids)):
            row[ids[place]] = 0


@part
def _meet(term: int, impact: int, floor: int, queries: Cells, best: I8, totals: I4) -> None:
    """Let a term's products count in every cell that has it.

    In the first cell of an owner each counts, in another as far as it is more than the best before;
    what `best` holds of earlier calls is below `floor`.
    """
    (starts, early, early_weights), (heads, nexts, late, late_weights), owners = queries
    if term < len(starts) - 1:
        for place in range(starts[term], starts[term + 1]):
            cell, product = early[place], impact * early_weights[place]
            owner = owners[cell]
            if cell > 0 and owners[cell - 1] == owner:
                known, found = max(best[cell], floor), floor + product
                best[cell] = max(known, found)
                product = max(found - known, 0)
            totals[owner] += product
    if term < len(heads):
        place = heads[term]
        while place >= 0:
            cell, product = late[place], impact * late_weights[place]
            owner = owners[cell]
            if cell > 0 and owners[cell - 1] == owner:
                known, found = max(best[cell], floor), floor + product
                best[cell] = max(known, found)
                product = max(found - known, 0)
            totals[owner] += product
            place = nexts[place]


@compiled(_SUPPLY, _CELLS, _F8, types.int64, _I4, _I8, _F8)
def ask_back(
    supply: Supply, queries: Cells, self_scores: F8, floor: int, totals: I4, best: I8, shares: F8
) -> None:
    """Raise each demand's share to what one supply has of its query; owners are demands.

    `totals` has a place for each demand and one for what nobody owns, all zero. `best` has a place
    for each cell, and `floor` must grow by 1 << 32 from call to call.
    """
    terms, impacts = supply
    for number in range(len(terms)):
        _meet(terms[number], impacts[number], floor, queries, best, totals)
    for demand in range(len(shares)):
        if totals[demand] > 0:
            share = min(totals[demand] / self_scores[demand], 1.0)
            shares[demand] = max(shares[demand], share)


@part
def _add_side(weight: float, near: F8, sets: I4, terms: F8, about: F8) -> None:
    known = len(near) > 0
    for row in range(len(terms)):
        number = sets[row]
        about[row] += weight * (near[number] if known and number > 0 else terms[row])


@compiled(_F8, _SIDES, _F8, _F8)
def blend(terms: F8, sides: Sides, weights: F8, about: F8) -> None:
    """Set the relevance of each row from its terms and sides; see `close_look`."""
    about[:] = weights[0] * terms
    nears, sets = sides
    _add_side(weights[1], nears[0], sets[0], terms, about)
    _add_side(weights[2], nears[1], sets[1], terms, about)
    _add_side(weights[3], nears[2], sets[2], terms, about)
    for row in range(len(about)):
        about[row] = min(about[row], 1.0)


@compiled(_FIXED_I8, _FIXED_I4, _FIXED_U2, _I8, _I4, _U2)
def invert(starts: I8, terms: I4, weights: U2, firsts: I8, cells: I4, impacts: U2) -> None:
    """Fill the postings of a base from its rows; `firsts` must be zero, a place more than terms."""
    for place in range(len(terms)):
        firsts[terms[place] + 1] += 1
    for term in range(len(firsts) - 1):
        firsts[term + 1] += firsts[term]
    for cell in range(len(starts) - 1):
        for place in range(starts[cell], starts[cell + 1]):
            at = firsts[terms[place]]
            cells[at], impacts[at] = cell, weights[place]
            firsts[terms[place]] = at + 1
    for term in range(len(firsts) - 1, 0, -1):
        firsts[term] = firsts[term - 1]
    firsts[0] = 0


@compiled(_DELTA, _I8, _I4, types.int64, types.int64, types.int64)
def chain(delta: Delta, starts: I8, terms: I4, number: int, end: int, base: int) -> None:
    """Put the entries of the delta's cells from `number` to `end` at the heads of their chains."""
    heads, nexts, cells, _ = delta
    for each in range(number, end):
        for place in range(starts[each], starts[each + 1]):
            cells[place] = base + each
            nexts[place] = heads[terms[place]]
            heads[terms[place]] = place


@compiled(_ROWS, _I8, _I8, _I4, _U2)
def gather(rows: Rows, cells: I8, starts: I8, terms: I4, weights: U2) -> None:
    """Copy the rows of some cells one after the other to where `starts` says."""
    early_starts, early_terms, early_weights, late_starts, late_terms, late_weights = rows
    size = len(early_starts) - 1
    for number in range(len(cells)):
        cell, to = cells[number], starts[number]
        if cell < size:
            for place in range(early_starts[cell], early_starts[cell + 1]):
                terms[to], weights[to] = early_terms[place], early_weights[place]
                to += 1
        else:
            for place in range(late_starts[cell - size], late_starts[cell - size + 1]):
                terms[to], weights[to] = late_terms[place], late_weights[place]
                to += 1
