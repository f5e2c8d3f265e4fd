"""Passing faults of the database become 503 problems: the caller may try again, nobody is woken."""

import asyncpg
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.requests import Request
from starlette.responses import Response

from shared.db.database import is_passing
from shared.http.health import Health
from shared.http.middleware import LOGGED_A_SECOND, Rationed
from shared.http.problems import on_crash, problem_response
from shared.kernel.errors import UnavailableError
from shared.telemetry import get_logger

log = get_logger("http")

_KINDS = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
RETRY_SECONDS = 2
_logged = Rationed(LOGGED_A_SECOND)


def install_fault_handlers(app: FastAPI) -> None:
    """Answer for what the database refuses; health hears of it, too."""
    for kind in _KINDS:
        app.add_exception_handler(kind, _on_fault)


async def _on_fault(request: Request, error: Exception) -> Response:
    health: Health = request.app.state.health
    if health.database is not None:
        health.database.note(error)
    if not is_passing(error):
        return await on_crash(request, error)
    if (unsaid := _logged.allows()) is not None:
        said = repr(error).splitlines()[0][:300]
        log.warning("database_fault", path=request.url.path, error=said, unsaid=unsaid)
    refusal = UnavailableError(
        "database_unavailable",
        "The data store does not answer at the moment; try again shortly."
        " A write may have happened: repeat it with the same Idempotency-Key.",
        "Kho dữ liệu tạm thời không trả lời; hãy thử lại sau."
        " Thao tác ghi có thể đã được thực hiện: hãy gửi lại với cùng Idempotency-Key.",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )
    return problem_response(request, refusal)
