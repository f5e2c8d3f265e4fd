"""Answers made of stored documents: the bytes go out as they came in, nothing is parsed again."""

import json
from collections.abc import Sequence
from typing import Protocol

from starlette.responses import Response
from starlette.status import HTTP_304_NOT_MODIFIED

from shared.http.preconditions import not_modified

_JSON = "application/json"


class Document(Protocol):
    """A resource as its readers see it."""

    @property
    def version(self) -> int: ...

    @property
    def body(self) -> bytes: ...


def document_of(document: Document, if_none_match: str | None = None) -> Response:
    """Answer with one resource, or with 304 when the caller has this version."""
    headers = {"ETag": f'"{document.version}"'}
    if not_modified(if_none_match, document.version):
        return Response(status_code=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(document.body, media_type=_JSON, headers=headers)


def page_of(items: Sequence[bytes], next_cursor: str | None) -> Response:
    """Answer with one page of a list."""
    end = b'],"next_cursor":' + json.dumps(next_cursor).encode() + b"}"
    return Response(b'{"items":[' + b",".join(items) + end, media_type=_JSON)
