"""What stands before every call to a service: a bulkhead, a breaker, a time limit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
import httpx

from gateway.domain.breaker import Breaker, BreakerOpenError
from gateway.domain.paths import Part
from shared.kernel.errors import KetnoiError, UnavailableError
from shared.telemetry import get_logger

log = get_logger("upstream")

FAULTS = (aiohttp.ClientError, httpx.TransportError, OSError)
"""Faults of the connection or of the time limit; an answer, even a 500, is none."""
_NO_ANSWER_YET = (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout, httpx.PoolTimeout)

T = TypeVar("T")


class UpstreamTimeoutError(KetnoiError):
    """The service took the request and did not answer in time."""

    status = 504


def unavailable(part: Part, retry_after: int = 1) -> UnavailableError:
    """Return the refusal that names the part that is down."""
    return UnavailableError(
        "service_unavailable",
        f"The {part} service does not answer at the moment; try again shortly.",
        f"Dịch vụ {part} tạm thời không trả lời; hãy thử lại sau.",
        extra={"part": str(part)},
        headers={"Retry-After": str(retry_after)},
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

    def __init__(self, part: Part, slots: int, queue: int, breaker: Breaker | None = None) -> None:
        self._part = part
        self._slots = asyncio.Semaphore(slots)
        self._room = slots + queue
        self._inside = 0
        self.breaker = breaker or Breaker()

    async def run(self, call: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Make the call in a slot, within `seconds`, waiting included.

        UnavailableError when the breaker is open, no room is left or the service is down;
        UpstreamTimeoutError when it is slow.
        """
        if self._inside >= self._room:
            raise unavailable(self._part)
        try:
            probe = self.breaker.admit()
        except BreakerOpenError as error:
            raise unavailable(self._part, error.seconds) from error
        self._inside += 1
        try:
            async with asyncio.timeout(seconds), self._slots:
                result = await call()
        except FAULTS as error:
            self.breaker.failed(probe=probe)
            log.warning("upstream_failed", part=str(self._part), error=repr(error)[:300])
            if isinstance(error, TimeoutError | httpx.TimeoutException) and not isinstance(
                error, _NO_ANSWER_YET
            ):
                raise _timed_out(self._part) from error
            raise unavailable(self._part) from error
        except BaseException:
            self.breaker.abandoned(probe=probe)
            raise
        finally:
            self._inside -= 1
        self.breaker.succeeded(probe=probe)
        return result
