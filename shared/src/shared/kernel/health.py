"""What a look at one component finds; the HTTP edge adds since when, and what to do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

Status = Literal["pass", "warn", "fail"]

WORST: dict[str, int] = {"pass": 0, "warn": 1, "fail": 2}
"""Rank of a status: the greatest of several is the status of the whole."""


@dataclass(frozen=True, slots=True)
class Check:
    """One component's state: `warn` still serves, `fail` does not.

    `code` names the diagnosis (`shared.http.advice` says what to do about each); `observed` is a
    number or a short text, `unit` what it counts; `output` is the cause in the machine's words.
    """

    status: Status
    code: str = ""
    observed: object = None
    unit: str | None = None
    output: str | None = None
    since: str | None = None
    """When it began, if the component knows better than whoever looks (RFC 3339)."""


CheckFunction = Callable[[], Awaitable[Check]]
