"""One valid OpenAPI document for the whole API, and a page that shows it without other hosts."""

import copy
import json
import re
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway import openapi
from gateway.domain.openapi_merge import MergeError, merge

COMMITTED = json.loads(openapi.TARGET.read_text())
METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}


def operations(document):
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_committed_document_is_what_the_services_say() -> None:
    assert openapi.TARGET.read_text() == openapi.merged_document(openapi.WORKSPACE), (
        "make contracts"
    )


def test_it_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(COMMITTED).validate()


def test_operation_ids_are_short_and_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in operations(COMMITTED)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{2,40}", name) for name in ids)


def test_every_operation_has_a_chapter_a_text_and_the_problem() -> None:
    chapters = {tag["name"] for tag in COMMITTED["tags"]}
    for path, method, operation in operations(COMMITTED):
        where = f"{method} {path}"
        assert set(operation["tags"]) <= chapters, where
        assert operation.get("summary") or operation.get("description"), where
        assert "application/problem+json" in operation["responses"]["default"]["content"], where
        assert "422" not in operation["responses"], where


def test_the_main_job_is_documented() -> None:
    for path in (
        "/oauth/token",
        "/v1/demands",
        "/v1/supplies",
        "/v1/demands/{demand_id}/overview",
        "/v1/imports",
        "/v1/reporting/dashboard",
        "/v1/match-preview",
        "/v1/gaps",
    ):
        assert path in COMMITTED["paths"], path
    tails = {path.rpartition("/")[2] for path in COMMITTED["paths"]}
    assert {"matches", "diagnosis", "transitions", "errors"} <= tails


@pytest.mark.parametrize(("path", "method"), [("/v1/match-preview", "post"), ("/v1/gaps", "get")])
def test_previews_and_gaps_are_documented_in_both_languages(path: str, method: str) -> None:
    operation = COMMITTED["paths"][path][method]
    vietnamese, _, english = operation["summary"].partition(" · ")
    assert vietnamese
    assert english.isascii()
    first, _, rest = operation["description"].partition("\n\n")
    assert not first.isascii()
    assert len(rest) > 100
    assert operation["tags"] == ["matches"]


def service(path: str, operation_id: str, schema: dict, name: str = "Money") -> dict:
    return {
        "paths": {
            path: {
                "get": {
                    "operationId": operation_id,
                    "responses": {
                        "200": {
                            "description": "ok",
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": f"#/components/schemas/{name}"}
                                }
                            },
                        }
                    },
                }
            }
        },
        "components": {"schemas": {name: schema, "Unused": {"type": "string"}}},
    }


OWN = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {},
    "components": {"schemas": {"Problem": {"type": "object"}}},
}


def test_equal_schemas_are_one_and_different_ones_get_their_service_s_name() -> None:
    money = {"type": "object", "properties": {"max": {"type": "integer"}}}
    other = {"type": "object", "properties": {"max": {"type": "number"}}}
    holder = {"type": "object", "properties": {"price": {"$ref": "#/components/schemas/Money"}}}
    matching = service("/v1/matches", "list_matches", holder, "Card")
    matching["components"]["schemas"]["Money"] = other
    reporting = service("/v1/reporting/x", "get_x", copy.deepcopy(holder), "Card")
    reporting["components"]["schemas"]["Money"] = money
    merged = merge(
        OWN,
        {
            "svc-demand": service("/v1/demands", "list_demands", money),
            "svc-supply": service("/v1/supplies", "list_supplies", dict(money)),
            "svc-matching": matching,
            "svc-reporting": reporting,
        },
    )
    schemas = merged["components"]["schemas"]
    assert schemas["Money"] == money
    assert schemas["MatchingMoney"] == other
    assert schemas["Card"] != schemas["ReportingCard"], "they hold different Money"
    assert schemas["Card"]["properties"]["price"]["$ref"].endswith("/MatchingMoney")
    assert schemas["ReportingCard"]["properties"]["price"]["$ref"].endswith("/Money")
    assert "Unused" not in schemas
    OpenAPIV31SpecValidator(merged).validate()


def test_what_two_services_claim_is_an_error_unless_the_gateway_answers_it() -> None:
    money = {"type": "object"}
    services = {
        "svc-demand": service("/v1/imports/{id}", "get_import", money),
        "svc-supply": service("/v1/imports/{import_id}", "get_import", money),
    }
    with pytest.raises(MergeError, match="svc-demand and svc-supply"):
        merge(OWN, services)
    own = OWN | {"paths": service("/v1/imports/{job_id}", "get_import", money)["paths"]}
    own["components"]["schemas"]["Money"] = money
    assert list(merge(own, services)["paths"]) == ["/v1/imports/{job_id}"]


def test_an_operation_id_used_twice_is_an_error() -> None:
    services = {
        "svc-demand": service("/v1/demands", "list_all", {"type": "object"}),
        "svc-supply": service("/v1/supplies", "list_all", {"type": "object"}),
    }
    with pytest.raises(MergeError, match="list_all"):
        merge(OWN, services)


def test_a_missing_snapshot_is_said_plainly(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(openapi, "WORKSPACE", tmp_path)
    assert openapi.main(["--check"]) == 1
    assert "svc-demand" in capsys.readouterr().err


async def test_the_document_is_served_as_committed(house) -> None:
    response = await house.client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.content == openapi.TARGET.read_bytes()


async def test_the_page_needs_no_other_host(house) -> None:
    root = await house.client.get("/")
    assert root.headers["location"] == "/docs"
    page = await house.client.get("/docs")
    assert page.status_code == 200
    assert not re.search(r"(?:https?:)?//[\w.]+\.\w", page.text)
    policy = page.headers["content-security-policy"]
    assert "http" not in policy
    assert "default-src 'none'" in policy
    needed = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(needed) >= 3
    for path in needed:
        asset = await house.client.get(path)
        assert asset.status_code == 200, path
        assert len(asset.content) > 100
    start = await house.client.get("/docs/start.js")
    assert "validatorUrl: null" in start.text
    for escape in ("/docs/assets/../../__init__.py", "/docs/assets/%2e%2e/%2e%2e/__init__.py"):
        assert (await house.client.get(escape)).status_code == 404
