"""Refusals that a caller can act on. The HTTP edge turns each into an RFC 9457 problem.

KetnoiError
 ├─ InvalidError             422  the content breaks a rule; names the place by JSON Pointer
 ├─ NotFoundError            404  no such thing, or none that this caller may see
 ├─ ForbiddenError           403  the caller is known, and may not do this
 ├─ UnauthenticatedError     401  the token is missing, expired or wrong
 ├─ ConflictError            409  the thing is not in a state that allows this
 ├─ PreconditionError        412  somebody else changed it first (If-Match is stale)
 ├─ PreconditionRequiredError 428 If-Match is missing
 ├─ BadRequestError          400  the request itself cannot be read
 ├─ TooLargeError            413  over a size limit
 ├─ TooManyError             429  over a rate limit
 └─ UnavailableError         503  a part that is needed does not answer; try again
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One broken rule: `pointer` is an RFC 6901 JSON Pointer into the body.

    `message` is English, unless the edge has already chosen the reader's language.
    """

    pointer: str
    code: str
    message: str
    vi: str | None = None

    def text(self, *, english: bool) -> str:
        """Return the message in the wanted language."""
        return self.message if english or self.vi is None else self.vi


class KetnoiError(Exception):
    """Base of all refusals: a stable `code`, and a message in English and Vietnamese."""

    status: ClassVar[int] = 500

    def __init__(
        self,
        code: str,
        en: str,
        vi: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        extra: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(en)
        self.code = code
        self.en = en
        self.vi = vi or en
        self.errors = errors
        self.extra = extra or {}
        self.headers = headers or {}


class InvalidError(KetnoiError):
    status = 422


class NotFoundError(KetnoiError):
    status = 404


class ForbiddenError(KetnoiError):
    status = 403


class UnauthenticatedError(KetnoiError):
    status = 401


class ConflictError(KetnoiError):
    status = 409


class PreconditionError(KetnoiError):
    status = 412


class PreconditionRequiredError(KetnoiError):
    status = 428


class BadRequestError(KetnoiError):
    status = 400


class TooLargeError(KetnoiError):
    status = 413


class TooManyError(KetnoiError):
    status = 429


class UnavailableError(KetnoiError):
    status = 503


def not_found(what_en: str, what_vi: str) -> NotFoundError:
    """Absent and forbidden look the same on purpose: one body for both."""
    return NotFoundError("not_found", f"No such {what_en}.", f"Không tìm thấy {what_vi}.")
