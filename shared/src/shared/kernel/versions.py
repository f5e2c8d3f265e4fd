"""Nobody overwrites a change that they have not seen."""

from shared.kernel.errors import PreconditionError


def check_version(expected: int | None, current: int) -> None:
    """Refuse with 412 when `expected` is given and is not the current version."""
    if expected is not None and expected != current:
        raise PreconditionError(
            "stale_version",
            f"Version {expected} is stale; the current version is {current}. Read it again.",
            f"Phiên bản {expected} đã cũ; phiên bản hiện tại là {current}. Hãy đọc lại.",
            extra={"current_version": current},
        )
