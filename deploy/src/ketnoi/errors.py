"""Failures that a person can do something about: a message and an exit code, never a traceback."""


class LauncherError(Exception):
    """The suite cannot go on; the text says what is wrong and what to do."""

    exit_code = 1


class UsageError(LauncherError):
    """The environment or the command line asks for something that cannot be."""

    exit_code = 2
