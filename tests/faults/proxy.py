"""A TCP link that can be made bad while it runs: slow, cut, half-open, dripping, forgetful."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum


class Way(StrEnum):
    """The two directions of a connection, seen from who opened it."""

    UP = "up"
    DOWN = "down"


BOTH = frozenset(Way)
_PIECE = 64 * 1024


class Proxy:
    """Stands between two parts on loopback. Every fault may be set and taken back at any time."""

    def __init__(self, port: int, *, seed: int = 1) -> None:
        self.target = port
        self.delay = 0.0
        """Seconds that every piece of data waits, in both directions."""
        self.jitter = 0.0
        """Up to so many seconds more, at random."""
        self.drip = 0
        """Bytes a second; 0 is no limit."""
        self.lose: Callable[[bytes], bool] | None = None
        """Asked with what the upstream answers: True drops it, and the connection with it."""
        self.lost = 0
        self.cut_after = -1
        """Bytes of answers after which a connection is cut; -1 is never."""
        self.is_cut = False
        self._dice = random.Random(seed)
        self._open = {way: asyncio.Event() for way in Way}
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.mend()

    async def start(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._abort()
        while self._links:
            await asyncio.gather(*(link.ended.wait() for link in list(self._links)))

    def cut(self) -> None:
        """Reset every connection, and each new one at once."""
        self.is_cut = True
        self._abort()

    def hold(self, ways: frozenset[Way] = BOTH) -> None:
        """Be a black hole: nothing passes in these directions, and nobody is told."""
        for way in ways:
            self._open[way].clear()

    def mend(self) -> None:
        """Be a good link again; what was held passes on."""
        self.delay = self.jitter = 0.0
        self.drip = 0
        self.lose = None
        self.cut_after = -1
        self.is_cut = False
        for event in self._open.values():
            event.set()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Cut for as long as the block runs."""
        self.cut()
        try:
            yield
        finally:
            self.mend()

    def _abort(self) -> None:
        for link in list(self._links):
            link.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            _reset(writer)
            return
        link = _Link(self, writer)
        self._links.add(link)
        try:
            await link.run(reader)
        finally:
            self._links.discard(link)
            link.ended.set()


class _Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, client: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writers = [client]
        self._answered = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()

    async def run(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            there, upstream = await asyncio.open_connection("127.0.0.1", self._proxy.target)
            self._writers.append(upstream)
            self._tasks = [
                asyncio.create_task(self._pump(reader, upstream, Way.UP)),
                asyncio.create_task(self._pump(there, self._writers[0], Way.DOWN)),
            ]
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            # What is on its way in the other direction may still go out.
            await asyncio.wait(self._tasks, timeout=0.05)
        self.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            _reset(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        proxy = self._proxy
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                await proxy._open[way].wait()
                if proxy.delay or proxy.jitter:
                    await asyncio.sleep(proxy.delay + proxy._dice.random() * proxy.jitter)
                if way is Way.DOWN and not self._passes(data):
                    self.abort()
                    return
                await self._write(writer, data)
            writer.write_eof()

    def _passes(self, data: bytes) -> bool:
        proxy = self._proxy
        if proxy.lose is not None and proxy.lose(data):
            proxy.lost += 1
            return False
        self._answered += len(data)
        return not 0 <= proxy.cut_after < self._answered

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        drip = self._proxy.drip
        step = max(1, drip // 20) if drip else len(data)
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            if drip:
                await asyncio.sleep(step / drip)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crash does: the other side sees a reset, not an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
