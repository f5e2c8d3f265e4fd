"""Imports: the file goes to the service that owns its kind; a job is found by asking both."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from gateway.clients.parts import Parts
from gateway.clients.upstream import Answer
from gateway.domain.paths import Part
from shared.contracts.imports import ImportKind
from shared.kernel.errors import FieldError, InvalidError, KetnoiError, not_found

OWNERS: Mapping[str, Part] = {
    ImportKind.DEMANDS: Part.DEMAND,
    ImportKind.SUPPLIES: Part.SUPPLY,
}
_NOT_FOUND = 404


async def start_import(parts: Parts, kind: str | None, content: bytes) -> Answer:
    """Hand the file, as it came, to the service that owns `kind`."""
    part = OWNERS.get(kind or "")
    if part is None:
        kinds = ", ".join(OWNERS)
        message = f"kind: {kinds}"
        raise InvalidError(
            "unknown_import_kind",
            f"Send the form field `kind` with one of: {kinds}.",
            f"Hãy gửi trường `kind` với một trong các giá trị: {kinds}.",
            errors=(FieldError("/kind", "enum" if kind else "missing", message),),
            extra={"kinds": list(OWNERS)},
        )
    return await parts.hand_over(part, "/v1/imports", content)


async def find_import(parts: Parts, import_id: UUID, tail: str = "", query: str = "") -> Answer:
    """Return the answer of the service that knows the job.

    Only when both say that they do not is it a 404; a silent service might know it: 503.
    """
    path = f"/v1/imports/{import_id}{tail}"
    asked = {
        asyncio.create_task(parts.ask(part, path, query=query)) for part in set(OWNERS.values())
    }
    silent: KetnoiError | None = None
    try:
        for done in asyncio.as_completed(asked):
            try:
                answer = await done
            except KetnoiError as error:
                silent = error
                continue
            if answer.status != _NOT_FOUND:
                return answer
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    raise silent or not_found("import", "lần nhập")
