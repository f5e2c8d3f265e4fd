"""Lists: how far to read, and a cursor that fits this list and this caller only."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from shared.contracts.identity import Caller
from shared.http.cursors import MAX_CURSOR_LENGTH, Cursors

DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class PageQuery(BaseModel):
    """Query parameters of every list; unknown ones are refused, so a misspelt filter is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(None, max_length=MAX_CURSOR_LENGTH)


class Paging:
    """Reads and writes the cursors of one request."""

    def __init__(self, request: Request, caller: Caller, query: PageQuery) -> None:
        filters = query.model_dump_json(exclude={"limit", "cursor"})
        self._scope = f"{request.url.path} {caller.role} {caller.tenant} {filters}"
        self._cursors: Cursors = request.app.state.cursors
        self._cursor = query.cursor

    @property
    def after(self) -> list[Any] | None:
        """The position to go on from; None on the first page."""
        if self._cursor is None:
            return None
        return self._cursors.read(self._cursor, self._scope)

    def next_cursor(self, position: list[Any] | None) -> str | None:
        """Return the cursor behind `position`, None when nothing follows."""
        return None if position is None else self._cursors.write(position, self._scope)
