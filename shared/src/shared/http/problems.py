"""RFC 9457 problem details for every answer that is not 2xx, in Vietnamese or English."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.http.messages import localised
from shared.kernel.errors import FieldError, KetnoiError
from shared.telemetry import current_trace, get_logger

log = get_logger("http")

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://ketnoi.vn/problems/"
MAX_ERRORS = 50

_TITLES: dict[int, tuple[str, str]] = {
    400: ("Bad request", "Yêu cầu không đọc được"),
    401: ("Not authenticated", "Chưa xác thực"),
    403: ("Not allowed", "Không được phép"),
    404: ("Not found", "Không tìm thấy"),
    405: ("Method not allowed", "Phương thức không được phép"),
    406: ("Not acceptable", "Không đáp ứng được định dạng yêu cầu"),
    409: ("Conflict", "Xung đột trạng thái"),
    412: ("Precondition failed", "Phiên bản đã cũ"),
    413: ("Too large", "Quá lớn"),
    415: ("Unsupported media type", "Định dạng không hỗ trợ"),
    422: ("Invalid content", "Nội dung không hợp lệ"),
    428: ("Precondition required", "Thiếu điều kiện If-Match"),
    429: ("Too many requests", "Quá nhiều yêu cầu"),
    500: ("Internal error", "Lỗi nội bộ"),
    502: ("Bad gateway", "Dịch vụ phía sau trả lời sai"),
    503: ("Unavailable", "Tạm thời không phục vụ được"),
    504: ("Timeout", "Quá thời gian chờ"),
}


class ProblemError(BaseModel):
    """One broken rule."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the body, or `?name`.")
    code: str
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[ProblemError] | None = None


def prefers_english(accept_language: str | None) -> bool:
    """True when English stands before Vietnamese in Accept-Language; Vietnamese is the default."""
    ranked: list[tuple[float, str]] = []
    for part in (accept_language or "").split(",")[:10]:
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        if tag[:2].lower() in ("vi", "en"):
            ranked.append((-weight, tag[:2].lower()))
    return bool(ranked) and min(ranked, key=lambda item: item[0])[1] == "en"


def problem_body(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    english: bool,
    errors: Sequence[FieldError] = (),
    extra: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the members of a problem document."""
    title = _TITLES.get(status, _TITLES[500])[0 if english else 1]
    trace = current_trace()
    body: dict[str, object] = {
        "type": TYPE_BASE + code.replace("_", "-"),
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": trace.request_id if trace else "",
    }
    if errors:
        body["errors"] = [
            {"pointer": e.pointer, "code": e.code, "message": e.text(english=english)}
            for e in errors[:MAX_ERRORS]
        ]
    return body | dict(extra or {})


def problem_response(request: Request, error: KetnoiError) -> Response:
    """Turn a refusal into its problem document."""
    english = prefers_english(request.headers.get("accept-language"))
    body = problem_body(
        status=error.status,
        code=error.code,
        detail=error.en if english else error.vi,
        instance=request.url.path,
        english=english,
        errors=error.errors,
        extra=error.extra,
    )
    return JSONResponse(body, error.status, headers=dict(error.headers), media_type=MEDIA_TYPE)


def pointer_of(location: Sequence[int | str]) -> str:
    """Return the JSON Pointer of a Pydantic error location; query parameters as `?name`."""
    where, *rest = location or ("body",)
    if where == "query":
        return "?" + ".".join(map(str, rest))
    if where != "body":
        rest = list(location)
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in rest)


def field_errors(errors: Sequence[Mapping[str, Any]], *, english: bool) -> tuple[FieldError, ...]:
    """Translate Pydantic's errors."""
    return tuple(
        FieldError(pointer_of(error["loc"]), str(error["type"]), localised(error, english=english))
        for error in errors[:MAX_ERRORS]
    )


async def on_refusal(request: Request, error: Exception) -> Response:
    """Handler of KetnoiError."""
    assert isinstance(error, KetnoiError)  # noqa: S101 - registered for this class only
    return problem_response(request, error)


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """Handler of FastAPI's validation errors: 400 unreadable, 404 bad id in the path, else 422."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    english = prefers_english(request.headers.get("accept-language"))
    found = error.errors()
    kinds = {str(e["type"]) for e in found}
    places = {str(e["loc"][0]) for e in found if e["loc"]}
    if "json_invalid" in kinds:
        status, code = 400, "malformed_json"
        detail = ("The body is not valid JSON.", "Nội dung gửi lên không phải JSON hợp lệ.")
    elif "path" in places:
        status, code = 404, "not_found"
        detail = ("No such thing: the id is malformed.", "Không tìm thấy: mã định danh sai dạng.")
    elif places == {"query"}:
        status, code = 400, "invalid_parameter"
        detail = (
            "A query parameter is unknown or invalid; see `errors`.",
            "Tham số truy vấn không có hoặc không hợp lệ; xem `errors`.",
        )
    else:
        status, code = 422, "invalid_content"
        detail = ("The content is invalid; see `errors`.", "Nội dung không hợp lệ; xem `errors`.")
    body = problem_body(
        status=status,
        code=code,
        detail=detail[0 if english else 1],
        instance=request.url.path,
        english=english,
        errors=() if status == 404 else field_errors(found, english=english),  # noqa: PLR2004
    )
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 400: "bad_request"}


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Handler of Starlette's own refusals (unknown path, wrong method)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    english = prefers_english(request.headers.get("accept-language"))
    title = _TITLES.get(error.status_code, _TITLES[500])[0 if english else 1]
    body = problem_body(
        status=error.status_code,
        code=_HTTP_CODES.get(error.status_code, f"http_{error.status_code}"),
        detail=title,
        instance=request.url.path,
        english=english,
    )
    headers = dict(error.headers or {})
    return JSONResponse(body, error.status_code, headers=headers, media_type=MEDIA_TYPE)


async def on_crash(request: Request, error: Exception) -> Response:
    """Handler of everything unforeseen: the log has the reason, the caller the request id."""
    log.error("request_crashed", path=request.url.path, exc_info=error)
    english = prefers_english(request.headers.get("accept-language"))
    body = problem_body(
        status=500,
        code="internal_error",
        detail=(
            "Something went wrong here. Report the request_id."
            if english
            else "Hệ thống gặp lỗi. Hãy báo lại request_id."
        ),
        instance=request.url.path,
        english=english,
    )
    return JSONResponse(body, 500, media_type=MEDIA_TYPE)


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Problem details (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
