"""Bad input through the gateway: one error shape, a code that says what to do, nothing written."""

import json
import unicodedata

import pytest

pytestmark = pytest.mark.e2e

GOOD = {"title": "Máy sấy chè", "description": "Sấy chè", "language": "vi", "kind": "APPLICATION"}
JSON = {"Content-Type": "application/json"}
ABSENT = "019a0000-0000-7000-8000-000000000000"


def _count(operator) -> int:
    """Count what the operator can see, by walking the pages."""
    total, cursor = 0, None
    while True:
        page = operator.ok(
            "GET", "/v1/demands", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        )
        total += len(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return total


def _problem(answer, status: int, code: str | None = None) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= problem.keys()
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert problem["code"] == code
    return problem


BAD_BODIES = [
    ("malformed JSON", b'{"title": "Ch\xc3\xa8"', 400, None),
    ("not UTF-8", b'{"title": "\xff\xfe"}', 400, None),
    ("an array", b"[]", 422, ""),
    ("nothing", b"", 422, None),
    ("an unknown field", json.dumps(GOOD | {"colour": "red"}).encode(), 422, "/colour"),
    ("a wrong enum", json.dumps(GOOD | {"kind": "WISH"}).encode(), 422, "/kind"),
    ("NUL", json.dumps(GOOD | {"title": "a\x00b"}).encode(), 422, "/title"),
    ("half a surrogate pair", b'{"title": "a\\ud800b"}', 422, "/title"),
    ("a title too long", json.dumps(GOOD | {"title": "x" * 257}).encode(), 422, "/title"),
    (
        "contradictory money",
        json.dumps(GOOD | {"budget": {"min": 2, "max": 1, "currency": "VND"}}).encode(),
        422,
        "/budget",
    ),
    ("a huge number", b'{"title": "x", "trl_min": 1e400}', 422, None),
    ("NaN", b'{"title": "x", "trl_min": NaN}', 422, None),
    ("deep nesting", b'{"title": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 422, None),
]


@pytest.mark.parametrize(
    ("what", "body", "status", "pointer"), BAD_BODIES, ids=[b[0] for b in BAD_BODIES]
)
def test_a_bad_body_is_a_problem_and_writes_nothing(operator, what, body, status, pointer) -> None:
    before = _count(operator)
    answer = operator(
        "POST", "/v1/demands", content=body, headers={"Content-Type": "application/json"}
    )
    if what in ("deep nesting", "nothing", "NaN", "a huge number"):
        assert answer.status_code in (400, 422)
        status = answer.status_code
    problem = _problem(answer, status)
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]]
    assert _count(operator) == before


def test_ten_megabytes_are_refused(operator) -> None:
    body = json.dumps(GOOD | {"description": "x" * 10_000_000}).encode()
    answer = operator(
        "POST", "/v1/demands", content=body, headers={"Content-Type": "application/json"}
    )
    _problem(answer, 413, "too_large")


def test_ten_megabytes_in_chunks_are_refused(operator) -> None:
    chunks = (b"x" * 65_536 for _ in range(160))
    answer = operator(
        "POST", "/v1/demands", content=chunks, headers={"Content-Type": "application/json"}
    )
    _problem(answer, 413, "too_large")


def test_a_compressed_body_is_refused(operator) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    _problem(operator("POST", "/v1/demands", content=b"\x1f\x8b", headers=headers), 415)


def test_decomposed_text_is_stored_composed(operator) -> None:
    title = unicodedata.normalize("NFD", "Máy sấy chè ở Thái Nguyên")
    created = operator.ok("POST", "/v1/demands", json=GOOD | {"title": title})
    read = operator.ok("GET", f"/v1/demands/{created['id']}")
    assert read["title"] == "Máy sấy chè ở Thái Nguyên"


def test_stale_and_missing_versions(operator) -> None:
    created = operator.ok("POST", "/v1/demands", json=GOOD)
    path = f"/v1/demands/{created['id']}"
    operator.ok("PATCH", path, json={"title": "Mới"}, headers={"If-Match": '"1"'})
    stale = operator("PATCH", path, json={"title": "Cũ"}, headers={"If-Match": '"1"'})
    assert _problem(stale, 412, "stale_version")["current_version"] == 2
    _problem(operator("PATCH", path, json={"title": "Cũ"}), 428, "if_match_required")
    wrong = operator("PATCH", path, json={"title": "Cũ"}, headers={"If-Match": "latest"})
    _problem(wrong, 400)
    read = operator.ok("GET", path)
    assert (read["title"], read["version"]) == ("Mới", 2)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/v1/demands/{ABSENT}", 404),
        ("GET", "/v1/demands/not-an-id", 404),
        ("GET", f"/v1/supplies/{ABSENT}", 404),
        ("GET", f"/v1/demands/{ABSENT}/matches", 404),
        ("GET", f"/v1/demands/{ABSENT}/diagnosis", 404),
        ("GET", f"/v1/demands/{ABSENT}/overview", 404),
        ("GET", f"/v1/supplies/{ABSENT}/matches", 404),
        ("GET", f"/v1/matches/{ABSENT}", 404),
        ("GET", f"/v1/imports/{ABSENT}", 404),
        ("GET", "/v1/demands/by-ref/nobody/nothing", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/v1/demands", 405),
        ("GET", "/v1/demands?colour=red", 400),
        ("GET", "/v1/demands?limit=1000", 400),
        ("GET", "/v1/demands?cursor=made-up", 400),
        ("GET", "/v1/reporting/dashboard?province=xx", 400),
    ],
)
def test_what_is_not_there_or_not_understood(operator, method, path, status) -> None:
    _problem(operator(method, path), status)


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer a.b.c", "Basic xyz", "Bearer", "bearer x y", "ü"]
)
def test_a_bad_token_is_401(client_of, header) -> None:
    answer = client_of(None)("GET", "/v1/demands", headers={"Authorization": header.encode()})
    _problem(answer, 401)
    assert "bearer" in answer.headers["www-authenticate"].lower()


def test_writing_without_a_token_or_without_the_right(client_of) -> None:
    _problem(client_of(None)("POST", "/v1/demands", json=GOOD), 401, "token_required")
    _problem(client_of("reader")("POST", "/v1/demands", json=GOOD), 403, "scope_missing")


def test_an_expired_token_says_so(suite, client_of) -> None:
    """Signed with the suite's own key, but an hour too old."""
    import time

    from joserfc import jwk, jwt

    from shared.http.auth import ALGORITHM, AUDIENCE, ISSUER

    key = jwk.import_key(json.loads((suite.home / "keys" / "signing.jwk").read_text()))
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "x",
        "role": "operator",
        "tenant": "x",
        "exp": int(time.time()) - 3600,
    }
    token = jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])
    answer = client_of(None)("GET", "/v1/demands", headers={"Authorization": f"Bearer {token}"})
    _problem(answer, 401, "token_expired")


def test_wrong_credentials_get_no_token(client_of) -> None:
    answer = client_of(None)(
        "POST", "/oauth/token", data={"grant_type": "client_credentials"}, auth=("nobody", "wrong")
    )
    assert _problem(answer, 401)["error"] == "invalid_client"


def test_an_idempotency_key_repeats_the_answer_and_refuses_another_body(operator, unique) -> None:
    headers = {"Idempotency-Key": unique}
    first = operator.ok("POST", "/v1/demands", json=GOOD, headers=headers)
    again = operator.ok("POST", "/v1/demands", json=GOOD, headers=headers)
    assert again == first
    other = operator("POST", "/v1/demands", json=GOOD | {"title": "Khác"}, headers=headers)
    _problem(other, 422, "idempotency_key_reused")


def test_problems_speak_vietnamese_unless_english_is_asked_for(client_of) -> None:
    path = f"/v1/demands/{ABSENT}"
    vietnamese = client_of(None)("GET", path, headers={"Accept-Language": "vi,en;q=0.5"}).json()
    english = client_of(None)("GET", path, headers={"Accept-Language": "en-GB,vi;q=0.2"}).json()
    assert vietnamese["title"] == "Không tìm thấy"
    assert english["title"] == "Not found"
