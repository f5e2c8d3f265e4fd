"""Keyset cursors, signed: opaque to clients, useless for another list or another caller."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from shared.kernel.errors import BadRequestError

_SIGNATURE_BYTES = 16
MAX_CURSOR_LENGTH = 1024


class Cursors:
    """Writes and reads cursors with one service's key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def write(self, position: list[Any], scope: str) -> str:
        """Return a cursor for `position`; `scope` names the list, its filters and the tenant."""
        payload = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._sign(payload, scope) + payload).decode().rstrip("=")

    def read(self, cursor: str, scope: str) -> list[Any]:
        """Return the position, or refuse a cursor that was not written for this very list."""
        try:
            if len(cursor) > MAX_CURSOR_LENGTH:
                raise ValueError("too long")
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._sign(payload, scope)):
                raise ValueError("wrong signature")
            position: list[Any] = json.loads(payload)
        except (ValueError, binascii.Error) as error:
            raise BadRequestError(
                "cursor_mismatch",
                "The cursor does not belong to this list; start again without it.",
                "Con trỏ trang không thuộc danh sách này; hãy bắt đầu lại, không kèm con trỏ.",
            ) from error
        return position

    def _sign(self, payload: bytes, scope: str) -> bytes:
        message = scope.encode() + b"\0" + payload
        return hmac.new(self._key, message, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
