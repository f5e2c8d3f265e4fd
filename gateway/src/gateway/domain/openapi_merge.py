"""One OpenAPI document out of the gateway's own and the services' snapshots."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.domain.openapi_tags import TAGS, tag_list, tag_of
from shared.contracts.identity import Scope

Document = dict[str, Any]

REF = "#/components/schemas/"
GATEWAY = "gateway"
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"oauth2": []}, {}]
_PROBLEM = {
    "description": "Problem details (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": f"{REF}Problem"}}},
}
_SCOPES = {
    Scope.DEMANDS_WRITE: "Create and change demands",
    Scope.SUPPLIES_WRITE: "Create and change supplies",
    Scope.MATCHES_READ: "Read matches and diagnoses",
    Scope.IMPORTS_WRITE: "Import files",
    Scope.REPORTING_READ: "Read reports and indicators",
    Scope.VOCABULARIES_PROPOSE: "Propose concepts and labels of the technology vocabulary",
    Scope.VOCABULARIES_CURATE: "Accept and reject what was proposed to the vocabulary",
}


class MergeError(ValueError):
    """Two services claim the same operation or the same operationId, or a tag is unknown."""


def merge(own: Document, services: Mapping[str, Document]) -> Document:
    """Return the public document.

    An operation of the gateway replaces a service's at the same place; two services at one place
    are an error. Schemas of one name and one content are one; of one name and different content,
    all but the first carry their service's name as a prefix.
    """
    sources = {GATEWAY: own} | {name: services[name] for name in sorted(services)}
    operations = _operations(sources)
    names = _schema_names(sources, operations)
    paths: dict[str, dict[str, Any]] = {}
    tags: set[str] = set()
    for (path, method), (source, operation) in operations.items():
        tag = tag_of(path)
        if tag not in TAGS:
            raise MergeError(f"no chapter in openapi_tags.py for {path}")
        tags.add(tag)
        described = _described(operation) | {"tags": [tag]}
        paths.setdefault(path, {})[method] = _renamed(described, names[source])
    _require_unique_ids(paths)
    return {
        "openapi": own["openapi"],
        "info": own["info"],
        "servers": [{"url": "/", "description": "This address"}],
        "tags": tag_list(tags),
        "paths": paths,
        "components": {"schemas": _schemas(sources, names), "securitySchemes": _schemes()},
    }


def _operations(sources: Mapping[str, Document]) -> dict[tuple[str, str], tuple[str, Any]]:
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    claimed: dict[tuple[str, str], str] = {}
    for source, document in sources.items():
        for path, item in document["paths"].items():
            for method in _METHODS:
                if method not in item:
                    continue
                place = (re.sub(r"\{\w+\}", "{}", path), method)
                owner = claimed.setdefault(place, source)
                if owner == source:
                    found[path, method] = (source, item[method])
                elif owner != GATEWAY:
                    raise MergeError(f"{method.upper()} {path}: both {owner} and {source}")
    return found


def _schema_names(
    sources: Mapping[str, Document], operations: Mapping[Any, tuple[str, Any]]
) -> dict[str, dict[str, str]]:
    """Return, for each source, the published name of each schema that an operation reaches."""
    names: dict[str, dict[str, str]] = {source: {} for source in sources}
    published: dict[str, dict[str, str]] = {}
    for source, document in sources.items():
        schemas = document.get("components", {}).get("schemas", {})
        used: set[str] = {"Problem"} if source == GATEWAY else set()
        for owner, operation in operations.values():
            if owner == source:
                used |= set(_references(_described(operation)))
        for name in sorted(_closure(used & schemas.keys(), schemas)):
            content = _content(name, schemas)
            taken = published.setdefault(name, {})
            if content not in taken:
                taken[content] = name if not taken else _prefix(source) + name
            names[source][name] = taken[content]
    return names


def _schemas(sources: Mapping[str, Document], names: Mapping[str, dict[str, str]]) -> Document:
    merged: Document = {}
    for source, renamed in names.items():
        for name, public in renamed.items():
            schema = sources[source]["components"]["schemas"][name]
            merged.setdefault(public, _renamed(schema, renamed))
    return merged


def _prefix(source: str) -> str:
    return source.removeprefix("svc-").title()


def _content(name: str, schemas: Document) -> str:
    """Return what the schema says, all it refers to included, for comparing."""
    reached = {each: schemas[each] for each in _closure({name}, schemas)}
    return json.dumps(reached, sort_keys=True)


def _closure(names: set[str], schemas: Document) -> set[str]:
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _references(schemas[name])
    return reached


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
    elif isinstance(node, str) and node.startswith(REF):
        yield node.removeprefix(REF)


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _renamed(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, names) for value in node]
    if isinstance(node, str) and node.startswith(REF):
        name = node.removeprefix(REF)
        return REF + names.get(name, name)
    return node


def _described(operation: Mapping[str, Any]) -> dict[str, Any]:
    responses = {"default": _PROBLEM} | operation["responses"]
    security = operation.get("security")
    return {
        **operation,
        "responses": responses,
        "security": [] if security == [] else _SECURITY,
    }


def _require_unique_ids(paths: Mapping[str, Mapping[str, Any]]) -> None:
    ids = Counter(op["operationId"] for item in paths.values() for op in item.values())
    twice = sorted(name for name, count in ids.items() if count > 1)
    if twice:
        raise MergeError(f"operationIds used twice: {', '.join(twice)}")


def _schemes() -> Document:
    scopes = {str(scope): text for scope, text in _SCOPES.items()}
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "oauth2": {
            "type": "oauth2",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": scopes}},
        },
    }
