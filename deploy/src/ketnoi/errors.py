"""Failures that a person can do something about: a message and an exit code, never a traceback."""

import contextlib
from collections.abc import Iterator


class LauncherError(Exception):
    """The suite cannot go on; the text says what is wrong and what to do."""

    exit_code = 1


class UsageError(LauncherError):
    """The environment or the command line asks for something that cannot be."""

    exit_code = 2


@contextlib.contextmanager
def first_refusal() -> Iterator[None]:
    """Out of a task group, raise the first refusal alone; a person reads one message."""
    try:
        yield
    except ExceptionGroup as group:
        refusals = group.subgroup(LauncherError)
        if refusals is None:
            raise
        first: Exception = refusals
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        raise first from first.__cause__
