"""From a row of a file to a model, or to the reasons why not."""

import types
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from shared.contracts.identity import Caller, Scope
from shared.contracts.imports import ImportKind
from shared.http.problems import field_errors
from shared.imports.files import Record
from shared.kernel.errors import FieldError, KetnoiError
from shared.outbox import UnitOfWork

MAX_ERRORS_PER_ROW = 10


class Outcome(StrEnum):
    """What became of a row that was taken."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


Model = TypeVar("Model", bound=BaseModel)
Apply = Callable[[UnitOfWork, Caller, str, Sequence[Model]], Awaitable[list[Outcome | KetnoiError]]]
"""Writes rows for a caller, recorded under a name, and tells what became of each."""


@dataclass(frozen=True, slots=True)
class Importer(Generic[Model]):
    """What one kind of file holds and who may send it."""

    kind: ImportKind
    scope: Scope
    model: type[Model]
    apply: Apply[Model]


def parse(record: Record, model: type[Model], *, english: bool) -> Model | list[FieldError]:
    """Validate one row; messages are in the language of the request that sent the file."""
    content = record.content
    if isinstance(content, FieldError):
        return [content]
    try:
        if isinstance(content, bytes):
            return model.model_validate_json(content)
        _split_lists(content, model)
        return model.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return list(field_errors(found, english=english))


def errors_of(refusal: KetnoiError) -> list[FieldError]:
    """Return a refusal as the errors of its row."""
    return list(refusal.errors) or [FieldError("", refusal.code, refusal.en, refusal.vi)]


Row = TypeVar("Row")


def distinct_runs(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> Iterator[list[Row]]:
    """Split rows into runs that repeat no key: a repeated one has to see what came before it."""
    run: list[Row] = []
    seen: set[Hashable] = set()
    for row in rows:
        found = key(row)
        if found in seen:
            yield run
            run, seen = [], set()
        run.append(row)
        seen.add(found)
    if run:
        yield run


def _split_lists(content: dict[str, Any], model: type[BaseModel]) -> None:
    """In CSV, a list of plain values is one cell with `;` between them."""
    for name, value in content.items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        kinds = list(_unwrapped(field.annotation))
        if isinstance(value, str) and any(get_origin(kind) is list for kind in kinds):
            content[name] = [part.strip() for part in value.split(";") if part.strip()]
        elif isinstance(value, dict):
            for kind in kinds:
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    _split_lists(value, kind)


def _unwrapped(annotation: Any) -> Iterator[Any]:
    """Yield the alternatives inside Optional, Union and Annotated."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _unwrapped(part)
    elif origin is Annotated:
        yield from _unwrapped(get_args(annotation)[0])
    else:
        yield annotation
