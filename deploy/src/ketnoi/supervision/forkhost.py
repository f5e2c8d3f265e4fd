"""The process that the services are forked from, and the launcher's side of talking to it.

It imports the common libraries once and stays single-threaded. Five separate interpreters would
cost seven seconds and twice the memory. Requests and answers are JSON lines over a socket pair;
the pipe for a child's output travels as a file descriptor.
"""

import asyncio
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ketnoi.supervision.child import die_with_parent
from ketnoi.supervision.processes import Running, spawn

_PR_SET_NAME = 15


class ForkHost:
    """The launcher's side: start the host, then let it fork."""

    def __init__(self, environment: Mapping[str, str], preload: Sequence[str]) -> None:
        self._environment = environment
        self._preload = preload
        self._socket: socket.socket | None = None
        self._ready = asyncio.Event()
        self._turn = asyncio.Lock()
        self._started: asyncio.Future[_Forked] | None = None
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._listener: asyncio.Task[None] | None = None

    async def launch(self, output: int) -> Running:
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-P", "-m", "ketnoi.supervision.forkhost"]
            host = await spawn(
                [*program, str(theirs.fileno()), str(os.getpid()), *self._preload],
                output=output,
                environment=self._environment,
                pass_fds=(theirs.fileno(),),
            )
        ours.setblocking(False)
        self._socket = ours
        self._listener = asyncio.create_task(self._listen(ours))
        return host

    async def is_ready(self) -> bool:
        return self._ready.is_set()

    async def fork(
        self,
        name: str,
        entry: str,
        arguments: Sequence[Any],
        environment: Mapping[str, str],
        output: int,
    ) -> Running:
        """Call `entry` (`package.module:function`) in a new child; wait for a host if need be."""
        request = {"name": name, "entry": entry, "args": arguments, "env": dict(environment)}
        async with self._turn:
            await self._ready.wait()
            self._started = asyncio.get_running_loop().create_future()
            if self._socket is None:
                raise ConnectionError("the fork host has ended")
            message = json.dumps(request).encode() + b"\n"
            socket.send_fds(self._socket, [message], [output])
            return await self._started

    async def _listen(self, ours: socket.socket) -> None:
        loop, rest = asyncio.get_running_loop(), b""
        with ours:
            while data := await _received(loop, ours):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))
        self._lost()

    def _heard(self, message: dict[str, int]) -> None:
        if "ready" in message:
            self._ready.set()
        elif "started" in message:
            pid = message["started"]
            exited = self._exits[pid] = asyncio.get_running_loop().create_future()
            if self._started and not self._started.done():
                # With its end at hand: it may be over before the caller's turn comes.
                self._started.set_result(_Forked(pid, exited))
        elif waited := self._exits.pop(message["exited"], None):
            waited.set_result(message["code"])

    def _lost(self) -> None:
        """The host is gone, and the kernel has ended its children."""
        self._socket = None
        self._ready.clear()
        if self._started and not self._started.done():
            self._started.set_exception(ConnectionError("the fork host has ended"))
        for exited in self._exits.values():
            exited.set_result(-signal.SIGKILL)
        self._exits.clear()


class _Forked:
    def __init__(self, pid: int, exited: asyncio.Future[int]) -> None:
        self.pid = pid
        self._exited = exited

    async def wait(self) -> int:
        return await asyncio.shield(self._exited)


async def _received(loop: asyncio.AbstractEventLoop, ours: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(ours, 65536)
    except ConnectionError:
        return b""


class _Host:
    """The host's side. `serve` returns twice over: in a child with its work, in the host at EOF."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._rest = b""
        self._outputs: list[int] = []

    def serve(self) -> Callable[[], None] | None:
        self._tell({"ready": os.getpid()})
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == wake_read:
                        os.read(wake_read, 1024)
                        self._reap()
                        continue
                    data, fds, *_ = socket.recv_fds(self._control, 65536, 4)
                    self._outputs += fds
                    if not data:
                        self._end_children()
                        return None
                    *lines, self._rest = (self._rest + data).split(b"\n")
                    for line in lines:
                        if work := self._fork(json.loads(line)):
                            os.close(wake_read)
                            os.close(wake_write)
                            return work

    def _fork(self, request: dict[str, Any]) -> Callable[[], None] | None:
        output, host = self._outputs.pop(0), os.getpid()
        pid = os.fork()
        if pid == 0:
            return self._child(request, output, host)
        os.close(output)
        self._children.add(pid)
        self._tell({"started": pid})
        return None

    def _child(self, request: dict[str, Any], output: int, host: int) -> Callable[[], None]:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._control.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        die_with_parent(host, signal.SIGKILL)
        _name(request["name"])
        os.environ.clear()
        os.environ.update(request["env"])
        gc.enable()
        module, _, function = request["entry"].partition(":")
        return lambda: getattr(importlib.import_module(module), function)(*request["args"])

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.discard(pid)
            self._tell({"exited": pid, "code": os.waitstatus_to_exitcode(status)})

    def _end_children(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)

    def _tell(self, message: dict[str, int]) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")


def _name(name: str) -> None:
    """Show the service's name in ps and top."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def main() -> None:
    """Preload, freeze what is there out of the collector's sight, and fork on request."""
    from ketnoi.supervision.preload import preload

    descriptor, launcher = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(launcher, signal.SIGKILL)
    control = socket.socket(fileno=descriptor)
    control.set_inheritable(False)
    gc.disable()
    for problem in preload(sys.argv[3:]):
        print(f"not preloaded: {problem}", flush=True)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    gc.collect()
    gc.freeze()
    if work := _Host(control).serve():
        work()


if __name__ == "__main__":
    main()
