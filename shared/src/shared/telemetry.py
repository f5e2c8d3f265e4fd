"""Structured logs, and the ids that follow one request through HTTP and events."""

import logging
import random
import re
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The ids of the work at hand: `request_id` for people, `traceparent` (W3C) for machines."""

    request_id: str
    traceparent: str


_current: ContextVar[TraceContext | None] = ContextVar("ketnoi_trace", default=None)


def start_trace(request_id: str | None = None, traceparent: str | None = None) -> TraceContext:
    """Continue the caller's trace, or start a new one; unusable ids are replaced.

    An id has to be unique, not secret: the interpreter's own generator, seeded anew in every
    forked process, costs no system call.
    """
    if request_id is None or not _REQUEST_ID.fullmatch(request_id):
        request_id = f"{random.getrandbits(96):024x}"
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        ids = f"{random.getrandbits(192):048x}"
        traceparent = f"00-{ids[:32]}-{ids[32:]}-01"
    context = TraceContext(request_id, traceparent)
    _current.set(context)
    return context


def current_trace() -> TraceContext | None:
    """Return the trace of the running task, if any."""
    return _current.get()


def _add_trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    context = _current.get()
    if context is not None:
        event.setdefault("request_id", context.request_id)
        event.setdefault("trace_id", context.traceparent[3:35])
    return event


def configure_logging(service: str, level: str = "INFO") -> None:
    """Write one JSON object a line on standard output, standard-library logs included."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stdout, force=True, format="%(name)s %(message)s"
    )


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger: events with fields, never sentences, payloads or secrets."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return logger
