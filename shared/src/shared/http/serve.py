"""Runs one service's app in this process, and lets it leave without losing a request.

SIGTERM: not ready → a short while in which every answer closes its connection → no new
connections → requests in flight are finished → the worker's batches, the relay's acknowledgement,
the connections. A second SIGTERM waits for nothing; after 25 seconds nobody waits any more.
"""

import asyncio
import gc
import importlib
import os
import socket
import sys
import threading
from types import FrameType

import uvicorn
from pydantic import ValidationError

from shared.http.health import Health
from shared.http.protocol import OnePieceProtocol
from shared.settings import ServiceSettings, UnknownSettingError
from shared.telemetry import get_logger

log = get_logger("serve")

GRACE_SECONDS = 10
"""For requests in flight. The worker has ten more, the broker's connection two."""
STOP_SECONDS = 25.0
HURRIED_SECONDS = 1.0
TOO_LATE = 1
"""Exit code of a process that did not get ready to leave in time."""


class _Server(uvicorn.Server):
    """Leaves in order; says so on `/readyz` first."""

    def __init__(self, config: uvicorn.Config, health: Health, drain_seconds: float) -> None:
        super().__init__(config)
        self._health = health
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal is a request, the second an order.

        uvicorn would raise the signal again after an orderly end; that end is exit code 0 here.
        """
        del sig, frame
        if self.should_exit:
            self.force_exit = True
            _end_after(HURRIED_SECONDS)
        else:
            self.should_exit = True
            _end_after(STOP_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._health.leave()
        for _ in range(int(self._drain_seconds * 20)):
            if self.force_exit:
                break
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


def _end_after(seconds: float) -> None:
    """End the process from a thread of its own, whatever the event loop is doing."""

    def end() -> None:
        log.error("stopped_too_slowly", seconds=seconds)
        os._exit(TOO_LATE)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def serve(factory: str) -> None:
    """Build the app with `factory` ("package.module:function") and serve until SIGTERM."""
    module, _, name = factory.partition(":")
    try:
        app = getattr(importlib.import_module(module), name)()
        settings: ServiceSettings = app.state.settings
    except (UnknownSettingError, ValidationError) as error:
        sys.exit(f"configuration: {error}")
    config = uvicorn.Config(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        loop="uvloop",
        http=OnePieceProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    # What is loaded by now stays; collections over it only cost latency (p99 of imports: halved).
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    server = _Server(config, app.state.health, settings.drain_seconds)
    server.run()
    if server.force_exit:
        sys.exit(TOO_LATE)
