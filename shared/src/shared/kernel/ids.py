"""One place that makes ids, so that they sort by time everywhere."""

from uuid import UUID

import uuid_utils.compat


def new_id() -> UUID:
    """Return a UUIDv7 (RFC 9562): unique, and sorted by the millisecond it was made."""
    return uuid_utils.compat.uuid7()
