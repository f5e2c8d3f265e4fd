"""The routes of `/v1/imports`, the same in every service that takes files."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Header, Query, Request, Response, UploadFile

from shared.contracts.identity import Caller, Scope
from shared.contracts.imports import MAX_FILE_BYTES, ImportJob, ImportKind, RowErrorPage
from shared.db import Idempotency
from shared.http.auth import KnownCaller, require_scope
from shared.http.lists import PageQuery, Paging
from shared.http.problems import prefers_english
from shared.imports.jobs import Imports
from shared.kernel.errors import FieldError, ForbiddenError, InvalidError, TooLargeError

router = APIRouter(prefix="/v1/imports", tags=["imports"])

Importing = Annotated[Caller, Depends(require_scope(Scope.IMPORTS_WRITE))]


async def _imports(request: Request) -> Imports:
    imports: Imports = request.app.state.imports
    return imports


Jobs = Annotated[Imports, Depends(_imports)]


@router.post("", status_code=202, summary="Nhập một tệp · Import a file")
async def post_import(
    request: Request,
    response: Response,
    caller: Importing,
    imports: Jobs,
    kind: Annotated[ImportKind, Form(description="What the rows are.")],
    file: UploadFile,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> ImportJob:
    """Take a file of rows; it is worked on in the background, `Location` shows how far it is.

    * `.jsonl`: one JSON object a line, as `PUT …/by-ref/{system}/{ref}` takes it, with its natural
      key inside. `.csv`: UTF-8 (a BOM is fine), a header with field names, nested by dots
      (`budget.max`, `source_ref.system`); lists of plain values with `;` between them; a cell that
      begins with `[` or `{` is JSON (quantities, translations); an empty cell says nothing.
    * `.xlsx`: the first sheet, by the rules of CSV; a formula counts as the value saved with it, a
      time as Vietnam's. It is opened in the background: `total` is 0 until then, and a workbook
      that cannot be read ends FAILED, with its error as line 0.
    * At most 10 MiB, 100,000 rows, 512 KiB a row.
    * A row is created or updated by its natural key; a bad row is listed under `errors` and harms
      no other; the same file again changes nothing.
    * Messages are in the language of this request (`Accept-Language`: `vi` or `en`).
    """
    importer = imports.importers.get(kind)
    if importer is None:
        raise _wrong_kind(kind)
    if importer.scope not in caller.scopes:
        raise ForbiddenError(
            "scope_missing",
            f"This needs the scope {importer.scope}.",
            f"Cần quyền {importer.scope}.",
            extra={"scope": str(importer.scope)},
        )
    content = await file.read()
    if len(content) > MAX_FILE_BYTES:
        raise TooLargeError("too_large", "The file is larger than 10 MiB.", "Tệp lớn hơn 10 MiB.")
    name = file.filename or ""
    key = None
    if idempotency_key is not None:
        # The multipart frame differs each time; what counts is what was sent in it.
        body = b"\0".join([kind.encode(), name.encode(errors="replace"), content])
        key = Idempotency.of(caller.client_id, idempotency_key, "POST /v1/imports", body)
    english = prefers_english(request.headers.get("accept-language"))
    job = await imports.submit(caller, kind, name, content, english=english, key=key)
    response.headers["Location"] = f"/v1/imports/{job.id}"
    return job


@router.get("/{import_id}", summary="Xem một lần nhập · Read an import")
async def get_import(import_id: UUID, caller: KnownCaller, imports: Jobs) -> ImportJob:
    """Return the state and the counts; `done` counts the rows looked at, refused ones included."""
    return await imports.get(caller, import_id)


@router.get("/{import_id}/errors", summary="Các dòng bị từ chối · Read refused rows")
async def get_import_errors(
    request: Request,
    import_id: UUID,
    caller: KnownCaller,
    imports: Jobs,
    query: Annotated[PageQuery, Query()],
) -> RowErrorPage:
    """Return what was refused, with line number, place, code and message, in the file's order."""
    paging = Paging(request, caller, query)
    items, position = await imports.errors(caller, import_id, limit=query.limit, after=paging.after)
    return RowErrorPage(items=items, next_cursor=paging.next_cursor(position))


def _wrong_kind(kind: ImportKind) -> InvalidError:
    en, vi = f"{kind} are not imported here.", f"Không nhập {kind} ở đây."
    return InvalidError("kind_elsewhere", en, vi, errors=(FieldError("/kind", "enum", en, vi),))
