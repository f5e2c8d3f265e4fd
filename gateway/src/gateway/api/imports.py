"""Imports of whole files, for the service that owns their kind."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from gateway.api.context import as_response, parallel_parts_of, parts_of
from gateway.usecases.imports import OWNERS, find_import, start_import
from shared.contracts.imports import ImportJob, RowErrorPage
from shared.kernel.errors import BadRequestError

router = APIRouter()

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
    summary="Nhập một tệp · Import a file",
    status_code=202,
    response_model=ImportJob,
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _SCHEMA}}}},
)
async def post_import(
    request: Request,
    _key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", max_length=255, description="Makes a repetition safe."),
    ] = None,
) -> Response:
    """Take a file of rows; it is worked on in the background, `Location` shows how far it is.

    * `.jsonl`: one JSON object a line, as `PUT …/by-ref/{system}/{ref}` takes it, with its natural
      key inside. `.csv`: UTF-8, a header with field names, nested by dots (`budget.max`,
      `source_ref.system`), lists of plain values with `;` between them.
    * At most 10 MiB.
    * A row is created or updated by its natural key; a bad row is listed under `errors` and harms
      no other; the same file again changes nothing.
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


@router.get(
    "/v1/imports/{import_id}",
    summary="Tiến độ nhập · Progress of an import",
    response_model=ImportJob,
)
async def get_import(import_id: UUID, request: Request) -> Response:
    """Where an import stands."""
    return as_response(await find_import(parallel_parts_of(request), import_id))


@router.get(
    "/v1/imports/{import_id}/errors",
    summary="Các dòng bị từ chối · Refused rows",
    response_model=RowErrorPage,
)
async def get_import_errors(
    import_id: UUID,
    request: Request,
    _limit: Annotated[int, Query(alias="limit", ge=1, le=200)] = 50,
    _cursor: Annotated[str | None, Query(alias="cursor", max_length=1024)] = None,
) -> Response:
    """The refused rows of an import: line, place, code and message."""
    parts = parallel_parts_of(request)
    return as_response(await find_import(parts, import_id, "/errors", request.url.query))
