"""From a profile to its views: the terms of its text in each language it is given in.

A view is what the index needs of a text, and what `item` stores so that a start needs no
analysis. Term frequencies are whole numbers in quarters: a word of the description counts 4.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

import numpy as np
from numpy.typing import NDArray

from shared.contracts.demands import DemandProfile
from shared.contracts.supplies import SupplyProfile
from shared.contracts.values import Translation
from svc_matching.engine.abbreviations import spell_out
from svc_matching.engine.analysers import analyse
from svc_matching.engine.languages import choose_language
from svc_matching.engine.marks import has_marks, restore
from svc_matching.engine.quantities import Range, read_text
from svc_matching.engine.tagging import CONCEPT, broader_terms, concepts_in
from svc_matching.engine.translations import units_in

UNIT = 4
TITLE, KEYWORDS, SUMMARY, DESCRIPTION, ASIDE = 6, 6, 4, 4, 2
_MAX_FREQUENCY = 65_535
_SEPARATOR = "\x1e"

Profile = DemandProfile | SupplyProfile


@dataclass(frozen=True, slots=True)
class View:
    """One language of a text: sorted terms, their weighted frequencies, its weighted length.

    `read` holds the quantities named in the text, in the original's view only.
    """

    language: str
    marked: bool
    length: int
    terms: tuple[str, ...]
    frequencies: NDArray[np.uint16]
    read: tuple[Range, ...] = ()


def _pieces(text: Profile | Translation) -> Iterator[tuple[str, int]]:
    yield text.title or "", TITLE
    yield text.summary or "", SUMMARY
    yield text.description or "", DESCRIPTION
    if isinstance(text, (DemandProfile, SupplyProfile)):
        yield ". ".join(text.keywords), KEYWORDS
    if isinstance(text, DemandProfile):
        yield text.expected_outcome or "", DESCRIPTION
        yield text.current_technology or "", ASIDE
        yield ". ".join(text.priority_items), ASIDE
    if isinstance(text, SupplyProfile):
        yield ". ".join(benefit.metric for benefit in text.benefits), ASIDE


def plain_text(profile: Profile) -> str:
    """Return the words of the original language, best first, to look surfaces up in."""
    return "\n".join(piece for piece, _ in _pieces(profile) if piece)


def _view(pieces: Iterable[tuple[str, int]], language: str, *, translated: bool) -> View:
    given = [(text, weight) for text, weight in pieces if text]
    marked = language != "vi" or any(has_marks(text) for text, _ in given)
    given = [(spell_out(text, language), weight) for text, weight in given]
    if not marked:
        given = [(restore(text), weight) for text, weight in given]
    analysed = [(analyse(text, language), weight) for text, weight in given]
    total: dict[str, int] = {}
    for part, weight in analysed:
        for term, count in part.counts.items():
            total[term] = total.get(term, 0) + count * weight
    for text, weight in given:
        for concept, often in concepts_in(text, language).items():
            for term in (f"{CONCEPT}{concept}", *broader_terms(concept)):
                total[term] = total.get(term, 0) + round(often * weight)
        if translated:
            for unit, often in units_in(text).items():
                total[unit] = total.get(unit, 0) + round(often * weight)
    terms = tuple(sorted(total))
    counted = np.array([total[term] for term in terms], np.int64)
    frequencies = np.minimum(counted, _MAX_FREQUENCY).astype(np.uint16)
    length = sum(part.length * weight for part, weight in analysed)
    return View(language, marked, length, terms, frequencies)


def _measuring_text(profile: Profile) -> str:
    """Return the text whose amounts are the demand's or supply's own, not those of its past."""
    outcome = profile.expected_outcome if isinstance(profile, DemandProfile) else None
    pieces = (profile.title, profile.summary, profile.description, outcome)
    return "\n".join(piece for piece in pieces if piece)


def read_quantities(views: Sequence[View]) -> tuple[Range, ...]:
    """Return the quantities named in the original's text."""
    return views[0].read if views else ()


def views_of(profile: Profile) -> tuple[View, ...]:
    """Return the original's view, then one for each translation into another language.

    A demand in Vietnamese keeps the words that can be translated, for it asks in English too.
    """
    text = plain_text(profile)
    original = choose_language(text, profile.language)
    asks = isinstance(profile, DemandProfile) and original == "vi"
    view = _view(_pieces(profile), original, translated=asks)
    views = [replace(view, read=read_text(_measuring_text(profile), original))]
    for language, translation in sorted(profile.translations.items()):
        if language != original:
            views.append(_view(_pieces(translation), language, translated=False))
    return tuple(view for view in views if view.terms)


def pack(views: tuple[View, ...]) -> bytes:
    """Return the views as bytes for the `item` table."""
    blocks = []
    for view in views:
        terms, read = _SEPARATOR.join(view.terms).encode(), _pack_read(view.read)
        sizes = f"{len(terms)} {len(view.terms)} {len(read)}"
        head = f"{view.language} {int(view.marked)} {view.length} {sizes}\n"
        blocks.append(head.encode() + terms + view.frequencies.astype("<u2").tobytes() + read)
    return b"".join(blocks)


def unpack(packed: bytes) -> tuple[View, ...]:
    """Read what `pack` wrote; what an older analyser wrote has no quantities."""
    views, at = [], 0
    while at < len(packed):
        start = packed.index(b"\n", at) + 1
        language, marked, length, size, count, *more = packed[at:start].decode().split()
        middle = start + int(size)
        end = middle + 2 * int(count)
        at = end + int(more[0] if more else 0)
        terms = tuple(packed[start:middle].decode().split(_SEPARATOR))
        frequencies = np.frombuffer(packed[middle:end], "<u2").astype(np.uint16)
        read = _unpack_read(packed[end:at])
        views.append(View(language, marked == "1", int(length), terms, frequencies, read))
    return tuple(views)


def _pack_read(read: tuple[Range, ...]) -> bytes:
    rows = [
        (*each.measure, *(None if abs(end) == inf else end for end in (each.low, each.high)))
        for each in read
    ]
    stated = [each.stated for each in read]
    return json.dumps([rows, stated], ensure_ascii=False).encode() if read else b""


def _unpack_read(packed: bytes) -> tuple[Range, ...]:
    if not packed:
        return ()
    return tuple(
        Range(
            (concept, dimension),
            -inf if low is None else low,
            inf if high is None else high,
            must=False,
            stated=stated,
            read=True,
        )
        for (concept, dimension, low, high), stated in zip(*json.loads(packed), strict=True)
    )
