"""Routes that are called directly answer as FastAPI's own way to them does, refusals included."""

import json
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Form, Header, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field

from shared.http.direct import DirectRoutes
from shared.http.problems import on_invalid_request, on_refusal
from shared.kernel.errors import ConflictError, KetnoiError

ID = "01900000-0000-7000-8000-000000000000"


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: list[str] = []
    owner: str | None = None
    limit: int = Field(50, ge=1, le=200)


class Thing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1)
    parts: list[int] = []


class Shown(Thing):
    told: str


async def _told(accept_language: Annotated[str | None, Header(max_length=9)] = None) -> str:
    return accept_language or "-"


async def _counted(request: Request, told: Annotated[str, Depends(_told)]) -> list[str]:
    request.scope["asked"] = [*request.scope.get("asked", []), told]
    return request.scope["asked"]


async def _strict(counted: Annotated[list[str], Depends(_counted)]) -> int:
    if counted[-1] == "refuse":
        raise ConflictError("refused", "No.", "Không.", headers={"Retry-After": "7"})
    return len(counted)


def _way(request: Request) -> str:
    return "fastapi" if "fastapi_inner_astack" in request.scope else "direct"


router = APIRouter(prefix="/things")


@router.get("")
async def get_things(request: Request, query: Annotated[Filters, Query()]) -> dict[str, Any]:
    return {"query": query.model_dump(), "said": sorted(query.model_fields_set)}


@router.get("/first")
async def get_first() -> Response:
    return Response(b"first", media_type="text/plain", headers={"ETag": '"1"'})


@router.get("/{thing}")
async def get_thing(
    thing: UUID,
    asked: Annotated[list[str], Depends(_counted)],
    times: Annotated[int, Depends(_strict)],
    word: Annotated[str, Query(max_length=3)] = "none",
    numbers: Annotated[list[int] | None, Query()] = None,
) -> dict[str, Any]:
    return {"thing": thing, "asked": asked, "times": times, "word": word, "numbers": numbers}


@router.put("/{path:path}/deep/{number}", status_code=201)
async def put_thing(
    response: Response,
    thing: Thing,
    path: str,
    number: Annotated[int, Path(ge=1)],
    told: Annotated[str, Depends(_told)],
    _: Annotated[int, Depends(_strict)],
) -> Shown:
    response.headers["Location"] = f"/{path}"
    response.headers.append("X-Two", "1")
    response.headers.append("X-Two", "2")
    if number == 7:
        response.status_code = 202
    return Shown(**thing.model_dump(), told=told)


@router.post("/crash")
async def crash(thing: Thing) -> None:
    raise RuntimeError(thing.title)


@router.get("/any/thing", response_model=None)
async def get_any() -> Any:
    return {"any": {1, 2}, "id": UUID(ID)}


@router.delete("/any/thing", status_code=204)
async def delete_any(response: Response) -> None:
    response.headers["X-Gone"] = "1"


@router.post("/form")
async def post_form(request: Request, title: Annotated[str, Form()]) -> dict[str, str]:
    return {"title": title, "way": _way(request)}


@router.get("/way/taken")
async def get_way(request: Request, query: Annotated[Filters, Query()]) -> dict[str, Any]:
    return {"way": _way(request), "route": request.scope["route"].path, "kind": query.kind}


@router.get("/needed/word")
async def get_needed(word: str, number: int = 1) -> list[str]:
    return [word] * number


def _app(*, direct: bool) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.add_exception_handler(KetnoiError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid_request)
    app.include_router(router)
    if direct:
        app.add_middleware(DirectRoutes)
    return app


@pytest.fixture(scope="module")
def apps() -> tuple[FastAPI, FastAPI]:
    return _app(direct=True), _app(direct=False)


JSON = {"Content-Type": "application/json"}
REQUESTS: list[tuple[str, str, dict[str, str], bytes]] = [
    ("GET", "/things", {}, b""),
    ("GET", "/things?kind=a&kind=b&owner=x&limit=3", {}, b""),
    ("GET", "/things?owner=x&owner=y", {}, b""),
    ("GET", "/things?owner=", {}, b""),
    ("GET", "/things?limit=0", {}, b""),
    ("GET", "/things?limit=x&misspelt=1&misspelt=2", {}, b""),
    ("GET", "/things/first", {}, b""),
    ("GET", f"/things/{ID}", {"Accept-Language": "en"}, b""),
    ("GET", f"/things/{ID}?word=abc&numbers=1&numbers=2", {}, b""),
    ("GET", f"/things/{ID}?word=long", {}, b""),
    ("GET", f"/things/{ID}?numbers=x", {}, b""),
    ("GET", f"/things/{ID}", {"Accept-Language": "much too long"}, b""),
    ("GET", f"/things/{ID}", {"Accept-Language": "refuse"}, b""),
    ("GET", "/things/no-uuid", {}, b""),
    ("GET", "/things/no-uuid", {"Accept-Language": "refuse"}, b""),
    ("GET", "/nothing", {}, b""),
    ("GET", "/things/needed/word?word=a&word=b&number=2", {}, b""),
    ("GET", "/things/needed/word?number=2", {}, b""),
    ("GET", "/things/needed/word?word=a&number=x", {}, b""),
    ("GET", "/things/any/thing", {}, b""),
    ("DELETE", "/things/any/thing", {}, b""),
    ("DELETE", "/things", {}, b""),
    ("HEAD", "/things", {}, b""),
    ("GET", "/things/", {}, b""),
    ("PUT", "/things/a/b/deep/1", JSON, b'{"title": "t", "parts": [1, "2"]}'),
    ("PUT", "/things/a%20b/deep/7", JSON, b'{"title": "\xc4\x91"}'),
    ("PUT", "/things/a/deep/0", JSON, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", JSON, b'{"title": "", "more": 1}'),
    ("PUT", "/things/a/deep/1", JSON, b"[1]"),
    ("PUT", "/things/a/deep/1", JSON, b"{"),
    ("PUT", "/things/a/deep/1", JSON, b"\xff\xff"),
    ("PUT", "/things/a/deep/1", JSON, b""),
    ("PUT", "/things/a/deep/1", {}, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", {"Content-Type": "text/plain"}, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", {"Content-Type": "application/a+json"}, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", {"Content-Type": "application/json; a=b"}, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", JSON | {"Accept-Language": "refuse"}, b'{"title": "t"}'),
    ("PUT", "/things/a/deep/1", JSON | {"Accept-Language": "refuse"}, b'{"title": ""}'),
    ("PUT", "/things/a/deep/1", JSON | {"Accept-Language": "refuse"}, b"{"),
    ("POST", "/things/crash", JSON, b'{"title": "t"}'),
    ("POST", "/things/crash", JSON, b'{"title": ""}'),
    ("POST", "/things/form", {"Content-Type": "application/x-www-form-urlencoded"}, b"title=t"),
]


async def _answer(
    app: FastAPI, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.request(method, path, headers=headers, content=body)
    return answer.status_code, sorted(answer.headers.multi_items()), answer.content


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: " ".join(request[:2]))
async def test_both_ways_answer_alike(
    apps: tuple[FastAPI, FastAPI], request_: tuple[str, str, dict[str, str], bytes]
) -> None:
    directly, by_fastapi = apps
    assert await _answer(directly, *request_) == await _answer(by_fastapi, *request_)


async def test_what_is_plain_is_called_directly(apps: tuple[FastAPI, FastAPI]) -> None:
    directly, _ = apps
    status, _, body = await _answer(directly, "GET", "/things/way/taken?kind=a&kind=b", {}, b"")
    assert status == 200
    assert json.loads(body) == {"way": "direct", "route": "/things/way/taken", "kind": ["a", "b"]}


async def test_a_form_goes_by_fastapi(apps: tuple[FastAPI, FastAPI]) -> None:
    directly, _ = apps
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    _, _, body = await _answer(directly, "POST", "/things/form", form, b"title=t")
    assert body == b'{"title":"t","way":"fastapi"}'


async def test_a_crash_reaches_whoever_handles_crashes(apps: tuple[FastAPI, FastAPI]) -> None:
    transport = httpx.ASGITransport(apps[0])
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        with pytest.raises(RuntimeError, match="boom"):
            await client.post("/things/crash", json={"title": "boom"})
