"""What stands before every call to a service: a bulkhead, a breaker, a time limit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import httpx

from gateway.domain.breaker import Breaker, BreakerOpenError
from gateway.domain.paths import Part
from gateway.domain.retries import RetryBudget
from shared.http.metrics import UPSTREAM_FAILURES
from shared.http.middleware import Rationed
from shared.kernel.errors import KetnoiError, UnavailableError
from shared.telemetry import get_logger

log = get_logger("upstream")

FAULTS = (aiohttp.ClientError, httpx.TransportError, OSError)
"""Faults of the connection or of the time limit; an answer, even a 500, is none."""
_NO_ANSWER_YET = (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, httpx.PoolTimeout)
_PATIENCE_SECONDS = 1.0
"""A caller who gives less than this cannot make a service look broken to the others."""
_LOGGED_A_SECOND = 1

T = TypeVar("T")


class UpstreamTimeoutError(KetnoiError):
    """The service took the request and did not answer in time."""

    status = 504


def _in_time(_: object) -> bool:
    return False


def unavailable(part: Part, retry_after: int = 1) -> UnavailableError:
    """Return the refusal that names the part that is down."""
    return UnavailableError(
        "service_unavailable",
        f"The {part} service does not answer at the moment; try again shortly.",
        f"Dịch vụ {part} tạm thời không trả lời; hãy thử lại sau.",
        extra={"part": str(part)},
        headers={"Retry-After": str(retry_after)},
    )


def _busy(part: Part) -> UnavailableError:
    return UnavailableError(
        "service_busy",
        f"Too many requests wait for the {part} service; try again shortly.",
        f"Quá nhiều yêu cầu đang chờ dịch vụ {part}; hãy thử lại sau.",
        extra={"part": str(part)},
        headers={"Retry-After": "1"},
    )


def _timed_out(part: Part) -> UpstreamTimeoutError:
    return UpstreamTimeoutError(
        "upstream_timeout",
        f"The {part} service did not answer in time. A write may have happened:"
        " repeat it with the same Idempotency-Key.",
        f"Dịch vụ {part} không trả lời kịp. Thao tác ghi có thể đã được thực hiện:"
        " hãy gửi lại với cùng Idempotency-Key.",
        extra={"part": str(part)},
        headers={"Retry-After": "1"},
    )


class Guard:
    """Keeps one slow or dead service from taking the gateway with it."""

    def __init__(
        self,
        part: Part,
        slots: int,
        queue: int,
        breaker: Breaker | None = None,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        self._part = part
        self._slots = asyncio.Semaphore(slots)
        self._patience = min(patience, _PATIENCE_SECONDS)
        self._logged = Rationed(_LOGGED_A_SECOND)
        self.room = slots + queue
        self.inside = 0
        self.breaker = breaker or Breaker()
        self.retries = RetryBudget()

    async def run(
        self,
        call: Callable[[], Awaitable[T]],
        seconds: float,
        is_late: Callable[[T], bool] = _in_time,
    ) -> T:
        """Make the call in a slot, within `seconds`, waiting included.

        `is_late` tells an answer by which the service itself says that its time was over.
        UnavailableError when the breaker is open, no room is left or the service is down;
        UpstreamTimeoutError when it is slow.
        """
        if self.inside >= self.room:
            self._count("full")
            raise _busy(self._part)
        try:
            probe = self.breaker.admit()
        except BreakerOpenError as error:
            self._count("open")
            raise unavailable(self._part, error.seconds) from error
        self.inside += 1
        self.retries.earn()
        try:
            async with asyncio.timeout(seconds), self._slots:
                result = await call()
        except FAULTS as error:
            raise self._failure(error, seconds, probe=probe) from error
        except BaseException:
            self.breaker.abandoned(probe=probe)
            raise
        finally:
            self.inside -= 1
        if is_late(result):
            self._blame(seconds, probe=probe)
            self._count("slow")
        else:
            self.breaker.succeeded(probe=probe)
        return result

    def _failure(self, error: Exception, seconds: float, *, probe: bool) -> KetnoiError:
        if (unsaid := self._logged.allows()) is not None:
            log.warning(
                "upstream_failed", part=str(self._part), error=repr(error)[:300], unsaid=unsaid
            )
        slow = isinstance(error, TimeoutError | httpx.TimeoutException)
        if slow and not isinstance(error, _NO_ANSWER_YET):
            self._blame(seconds, probe=probe)
            self._count("slow")
            return _timed_out(self._part)
        self.breaker.failed(probe=probe)
        self._count("unreachable")
        return unavailable(self._part)

    def _blame(self, seconds: float, *, probe: bool) -> None:
        """Hold it against the service, unless its caller was in too much of a hurry."""
        if seconds < self._patience:
            self.breaker.abandoned(probe=probe)
        else:
            self.breaker.failed(probe=probe)

    def _count(self, kind: str) -> None:
        UPSTREAM_FAILURES.labels(str(self._part), kind).inc()
