"""How kernels are compiled: by their signatures, once; later imports read numba's cache.

Numba looks at one file to see whether its cache still holds, so what a kernel is compiled with, its
parts and constants, stands in the same file as the kernel.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def array(kind: types.Type, dimensions: int = 1, *, fixed: bool = False) -> types.Array:
    return types.Array(kind, dimensions, "C", readonly=fixed)


def tuple_of(*kinds: types.Type) -> types.Type:
    return types.Tuple(kinds)  # type: ignore[no-untyped-call]  # numba gives it no types


def named(kind: type[Any], *kinds: types.Type) -> types.Type:
    """Return the type of a NamedTuple whose fields are of these types."""
    return types.NamedTuple(kinds, kind)  # type: ignore[no-untyped-call]  # numba gives it no types


def compiled(*arguments: types.Type) -> Callable[[Kernel], Kernel]:
    return cast(Callable[[Kernel], Kernel], njit(types.void(*arguments), nogil=True, cache=True))


def part(kernel: Kernel) -> Kernel:
    """Compile as a part of the kernels of the same file that call it."""
    return cast(Kernel, njit(nogil=True)(kernel))
