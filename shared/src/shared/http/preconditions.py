"""If-Match: nobody overwrites a change that they have not seen."""

import re
from typing import Annotated

from fastapi import Header

from shared.kernel.errors import BadRequestError, PreconditionRequiredError

_VERSION = re.compile(r'(?:W/)?"?(\d{1,9})"?')


def _parse(header: str | None) -> int | None:
    if header is None:
        return None
    found = _VERSION.fullmatch(header.strip())
    if found is None:
        raise BadRequestError(
            "invalid_if_match",
            'If-Match must be the version in quotes, for example "3".',
            'If-Match phải là số phiên bản trong ngoặc kép, ví dụ "3".',
        )
    return int(found.group(1))


async def optional_version(
    if_match: Annotated[str | None, Header(description='The version you read, e.g. `"3"`.')] = None,
) -> int | None:
    """Dependency: the version in If-Match, if given."""
    return _parse(if_match)


async def required_version(
    if_match: Annotated[str | None, Header(description='The version you read, e.g. `"3"`.')] = None,
) -> int:
    """Dependency: the version in If-Match; 428 when it is missing."""
    version = _parse(if_match)
    if version is None:
        raise PreconditionRequiredError(
            "if_match_required",
            'Send If-Match with the version you read, for example "3".',
            'Hãy gửi If-Match với phiên bản đã đọc, ví dụ "3".',
        )
    return version


def not_modified(if_none_match: str | None, version: int) -> bool:
    """True when the caller already has `version` (RFC 9110: weak comparison, `*` is any)."""
    if if_none_match is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or f'"{version}"' in given
