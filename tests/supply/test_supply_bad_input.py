"""Hostile and broken input: a problem document each, and nothing written."""

import json
import unicodedata
from typing import Any

import httpx
import pytest

from shared.http.middleware import MAX_BODY_BYTES
from shared.kernel.ids import new_id

Headers = dict[str, str]
JSON = {"Content-Type": "application/json"}


def body(**fields: Any) -> bytes:
    return json.dumps({"title": "t"} | fields).encode()


BAD_BODIES: dict[str, tuple[bytes, int, str | None]] = {
    "malformed": (b'{"title": ', 400, None),
    "empty": (b"", 422, ""),
    "not an object": (b"[]", 422, ""),
    "not UTF-8": (b'{"title": "\xff\xfe"}', 400, None),
    "deeply nested": (b'{"title":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, None),
    "unknown field": (body(titel="x"), 422, "/titel"),
    "unknown nested field": (body(price={"max": 1, "currency": "VND", "x": 1}), 422, "/price/x"),
    "wrong enum": (body(kind="BUY"), 422, "/kind"),
    "wrong type": (body(title=7), 422, "/title"),
    "no title": (b"{}", 422, "/title"),
    "NUL": (body(title="a\x00b"), 422, "/title"),
    "lone surrogate": (b'{"title": "a\\ud800b"}', 422, "/title"),
    "lone surrogate in a key": (b'{"title": "t", "\\ud800": 1}', 422, None),
    "too long": (body(title="x" * 257), 422, "/title"),
    "money upside down": (body(price={"min": 2, "max": 1, "currency": "VND"}), 422, "/price"),
    "money without amount": (body(price={"currency": "VND"}), 422, "/price"),
    "fraction of money": (body(price={"max": 1.5, "currency": "VND"}), 422, "/price/max"),
    "too much money": (body(price={"max": 10**30, "currency": "VND"}), 422, "/price/max"),
    "unknown currency": (body(price={"max": 1, "currency": "XXX"}), 422, "/price/currency"),
    "unknown country": (body(country="XX"), 422, "/country"),
    "not a date": (body(available_until="31/12/2026"), 422, "/available_until"),
    "not a number": (b'{"title":"t","specifications":[{"name":"n","min":NaN}]}', 422, None),
    "infinite": (b'{"title":"t","specifications":[{"name":"n","min":1e999}]}', 422, None),
    "huge integer": (b'{"title":"t","trl":' + b"9" * 5000 + b"}", 400, None),
    "too many keywords": (body(keywords=["k"] * 11), 422, "/keywords"),
    "language in capitals": (body(translations={"EN": {}}), 422, None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_a_problem_and_writes_nothing(
    client: httpx.AsyncClient, owner: Headers, count_rows: Any, name: str
) -> None:
    content, status, pointer = BAD_BODIES[name]
    before = await count_rows()
    for language, headers in (("en", owner), ("vi", owner)):
        answer = await client.post(
            "/v1/supplies", content=content, headers=headers | JSON | {"Accept-Language": language}
        )
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["X-Request-Id"]
        if pointer is not None:
            assert pointer in {error["pointer"] for error in problem["errors"]}
    assert await count_rows() == before


async def test_text_is_stored_in_nfc(client: httpx.AsyncClient, owner: Headers) -> None:
    title = "Công nghệ sấy chè Thái Nguyên"
    decomposed = unicodedata.normalize("NFD", title)
    answer = await client.post("/v1/supplies", json={"title": decomposed}, headers=owner)
    assert answer.json()["title"] == title


async def test_too_large_a_body_is_refused(
    client: httpx.AsyncClient, owner: Headers, count_rows: Any
) -> None:
    before = await count_rows()

    async def drip() -> Any:
        for _ in range(MAX_BODY_BYTES // 4096 + 2):
            yield b" " * 4096

    for content in (b" " * (MAX_BODY_BYTES + 1), drip()):
        answer = await client.post("/v1/supplies", content=content, headers=owner | JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    zipped = owner | JSON | {"Content-Encoding": "gzip"}
    answer = await client.post("/v1/supplies", content=b"\x1f\x8b", headers=zipped)
    assert answer.status_code == 415
    assert await count_rows() == before


async def test_versions_must_be_named_and_fresh(
    client: httpx.AsyncClient, owner: Headers, create: Any, facts: Any
) -> None:
    supply = await create()
    path = f"/v1/supplies/{supply['id']}"
    for header, status, code in (
        ({}, 428, "if_match_required"),
        ({"If-Match": "abc"}, 400, "invalid_if_match"),
        ({"If-Match": '"9"'}, 412, "stale_version"),
    ):
        answer = await client.patch(path, json={"title": "x"}, headers=owner | header)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        answer = await client.post(
            f"{path}/transitions", json={"to": "SUBMITTED"}, headers=owner | header
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await client.get(path, headers=owner)).json() == supply


async def test_unknown_and_malformed_ids_are_not_found(
    client: httpx.AsyncClient, operator: Headers
) -> None:
    for wrong in (new_id(), "1", "x" * 300, "%00", "..%2f"):
        for path in (f"/v1/supplies/{wrong}", f"/v1/supplies/{wrong}/transitions"):
            answer = await client.get(path, headers=operator)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    answer = await client.get("/v1/supplies/by-ref/a%00/b", headers=operator)
    assert answer.status_code == 404


async def test_a_token_must_be_ours_and_fresh(
    client: httpx.AsyncClient, authorization: Any, count_rows: Any
) -> None:
    before = await count_rows()
    good = authorization("provider")["Authorization"]
    for token, code in (
        (authorization("provider", seconds=-60)["Authorization"], "token_expired"),
        (good[:-4] + "AAAA", "token_invalid"),
        ("Bearer x", "token_invalid"),
        ("Basic eDp5", "token_invalid"),
        ("Bearer", "token_invalid"),
    ):
        headers = {"Authorization": token}
        for answer in (
            await client.post("/v1/supplies", json={"title": "t"}, headers=headers),
            await client.get("/v1/supplies", headers=headers),
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert await count_rows() == before


async def test_what_does_not_exist_is_a_problem_too(client: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("DELETE", "/v1/supplies", 405),
        ("PUT", f"/v1/supplies/{new_id()}", 405),
    ):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
