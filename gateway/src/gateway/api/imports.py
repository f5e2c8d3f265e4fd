"""Imports of whole files, for the service that owns their kind."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from gateway.api.context import as_response, parallel_parts_of, parts_of
from gateway.usecases.imports import OWNERS, find_import, start_import
from shared.contracts.imports import ImportJob, RowErrorPage
from shared.kernel.errors import BadRequestError

router = APIRouter(tags=["imports"])

FORM = "multipart/form-data"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "file"],
    "properties": {
        "kind": {"type": "string", "enum": list(OWNERS)},
        "file": {"type": "string", "format": "binary"},
    },
}


@router.post(
    "/v1/imports",
    status_code=202,
    response_model=ImportJob,
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _SCHEMA}}}},
)
async def post_import(request: Request) -> Response:
    """Import a file of demands or supplies: `.jsonl`, `.csv` or `.xlsx`, up to 10 MiB.

    A row is upserted by its natural key; a refused row harms no other, and the same file again
    changes nothing. Follow the job at the Location given.
    """
    if not request.headers.get("content-type", "").lower().startswith(FORM):
        raise BadRequestError(
            "multipart_needed",
            f"Send `kind` and `file` as {FORM}.",
            f"Hãy gửi `kind` và `file` dạng {FORM}.",
        )
    content = await request.body()
    async with request.form(max_files=2, max_fields=10) as form:
        kind = form.get("kind")
        answer = await start_import(
            parts_of(request), kind if isinstance(kind, str) else None, content
        )
    return as_response(answer)


@router.get("/v1/imports/{import_id}", response_model=ImportJob)
async def get_import(import_id: UUID, request: Request) -> Response:
    """Where an import stands."""
    return as_response(await find_import(parallel_parts_of(request), import_id))


@router.get("/v1/imports/{import_id}/errors", response_model=RowErrorPage)
async def get_import_errors(
    import_id: UUID,
    request: Request,
    _limit: Annotated[int | None, Query(alias="limit", ge=1, le=200)] = None,
    _cursor: Annotated[str | None, Query(alias="cursor", max_length=1024)] = None,
) -> Response:
    """The refused rows of an import: line, place, code and message."""
    parts = parallel_parts_of(request)
    return as_response(await find_import(parts, import_id, "/errors", request.url.query))
