"""Reads the parameters of a request as FastAPI does, with what there is to find out found out once.

FastAPI looks into every parameter's type anew with every request: a list's twelve filters cost it
more than the list.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

from fastapi import params
from fastapi._compat import ModelField, field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from pydantic import BaseModel
from starlette.requests import Request


class UnfitError(Exception):
    """A parameter or the body is not what the route takes."""


def fit(value: Any, errors: Sequence[Any]) -> Any:
    """Return a validated value; UnfitError when it is none."""
    if errors:
        raise UnfitError
    return value


class Parameter(Protocol):
    """Finds one argument, or some, in a request."""

    def read(self, request: Request, into: dict[str, Any]) -> None:
        """Put what was found among the arguments; UnfitError when it does not fit."""


def parameters_of(takes: Dependant) -> list[Parameter]:
    """Return what reads the path, the query and the headers for one function."""
    return [
        *_parameters("path_params", takes.path_params),
        *_parameters("query_params", takes.query_params),
        *_parameters("headers", takes.header_params),
    ]


def _parameters(place: str, fields: list[ModelField]) -> Iterator[Parameter]:
    if len(fields) == 1 and place == "query_params" and _is_plain_model(fields[0]):
        yield _QueryModel(fields[0])
    elif all(_is_plain_value(field) for field in fields):
        yield from (_Value(place, field) for field in fields)
    else:
        yield _AsFastAPI(place, fields)


class _Value:
    """One parameter with one value, or its default."""

    def __init__(self, place: str, field: ModelField) -> None:
        self._place = place
        self._field = field
        self._alias = field.alias
        self._required = field.field_info.is_required()
        self._default = None if self._required else field.default

    def read(self, request: Request, into: dict[str, Any]) -> None:
        given = getattr(request, self._place).get(self._alias)
        if given is not None:
            into[self._field.name] = fit(*self._field.validate(given))
        elif self._required:
            raise UnfitError
        else:
            into[self._field.name] = self._default


class _QueryModel:
    """All parameters of the query as one model; repeated ones are lists where it has lists."""

    def __init__(self, field: ModelField) -> None:
        self._field = field
        model = cast("type[BaseModel]", field.field_info.annotation)
        self._lists = {
            name
            for name, part in model.model_fields.items()
            if field_annotation_is_sequence(part.annotation)
        }

    def read(self, request: Request, into: dict[str, Any]) -> None:
        given: dict[str, Any] = {}
        for name, text in request.query_params.multi_items():
            if name in self._lists:
                given.setdefault(name, []).append(text)
            else:
                given[name] = text
        into[self._field.name] = fit(*self._field.validate(given))


class _AsFastAPI:
    """What is less simple."""

    def __init__(self, place: str, fields: list[ModelField]) -> None:
        self._place = place
        self._fields = fields

    def read(self, request: Request, into: dict[str, Any]) -> None:
        into |= fit(*request_params_to_args(self._fields, getattr(request, self._place)))


def _is_plain_model(field: ModelField) -> bool:
    kind = field.field_info.annotation
    return (
        type(field.field_info) is params.Query
        and isinstance(kind, type)
        and issubclass(kind, BaseModel)
        and kind.model_config.get("extra") == "forbid"
        and all(_is_unnamed(part) for part in kind.model_fields.values())
    )


def _is_plain_value(field: ModelField) -> bool:
    kind = field.field_info.annotation
    return (
        type(field.field_info) in (params.Path, params.Query, params.Header)
        and field.field_info.validation_alias in (None, field.alias)
        and not field_annotation_is_sequence(kind)
        and not (isinstance(kind, type) and issubclass(kind, BaseModel))
        and (field.field_info.is_required() or isinstance(field.default, (type(None), str, int)))
        and not field.field_info.validate_default
    )


def _is_unnamed(part: Any) -> bool:
    """Say whether a field goes by its own name only."""
    return part.alias is None and part.validation_alias is None
