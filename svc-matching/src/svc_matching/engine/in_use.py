"""Which vocabulary texts are read with: one for the process, and another where that is asked for.

Whatever is derived from a vocabulary and kept is kept for each, so that texts can be read with
the next one while everything else goes on with the present one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from svc_matching.engine.vocabulary import Vocabulary, load_vocabulary

P = ParamSpec("P")
T = TypeVar("T")

_of_process: list[Vocabulary] = []
_here: ContextVar[Vocabulary | None] = ContextVar("vocabulary", default=None)
_kept: list[dict[Vocabulary, Callable[..., Any]]] = []


def vocabulary() -> Vocabulary:
    """Return the vocabulary in use: what ships with this version until another is put to use."""
    return _here.get() or (_of_process[0] if _of_process else load_vocabulary())


def use_vocabulary(new: Vocabulary) -> None:
    """Read all texts with `new` from now on, and forget what was derived from another."""
    _of_process[:] = [new]
    _forget_others()


@contextmanager
def reading_with(other: Vocabulary) -> Iterator[None]:
    """Read texts with another vocabulary inside this block, and in this thread only."""
    before = _here.set(other)
    try:
        yield
    finally:
        _here.reset(before)


def _forget_others() -> None:
    """Free what was derived from vocabularies that are not in use."""
    used = vocabulary()
    for caches in _kept:
        for other in [known for known in caches if known is not used]:
            caches.pop(other, None)


def kept(maxsize: int | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate like `functools.lru_cache`, with a cache for each vocabulary."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        caches: dict[Vocabulary, Callable[..., T]] = {}
        _kept.append(caches)

        @wraps(function)
        def look_up(*args: P.args, **kwargs: P.kwargs) -> T:
            used = vocabulary()
            found = caches.get(used)
            if found is None:
                found = caches.setdefault(used, lru_cache(maxsize)(function))
            return found(*args, **kwargs)

        return look_up

    return decorate
