"""What the terminal shows and the log files keep of every process's lines."""

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from pathlib import Path
from typing import BinaryIO, TextIO

OURS = "ketnoi"
_COLOURS = {"postgres": 34, "nats": 36, "gateway": 32, OURS: 33}
_LEVELS = {"warning": 33, "error": 31, "critical": 31}
_OTHER = 35
_LONGEST_LINE = 64 * 1024
_UNSHOWN = {"event", "level", "timestamp", "service", "logger"}


class Output:
    """One per launcher: `name | line` on the terminal, the line alone in logs/<name>.log."""

    def __init__(
        self, logs: Path, width: int, stream: TextIO | None = None, log_bytes: int = 5_000_000
    ) -> None:
        self._logs = logs
        self._width = width
        self._stream = stream or sys.stdout
        self._pretty = self._stream.isatty()
        self._log_bytes = log_bytes
        self._files: dict[str, _BoundedFile] = {}
        self._tails: dict[str, deque[str]] = {}

    def line(self, name: str, raw: bytes) -> None:
        """Take one line of a process."""
        if name not in self._files:
            self._files[name] = _BoundedFile(self._logs / f"{name}.log", self._log_bytes)
        self._files[name].write(raw)
        text = raw.decode(errors="replace").rstrip()
        self._tails.setdefault(name, deque(maxlen=20)).append(text)
        prefix = f"{name:<{self._width}} | "
        if self._pretty:
            prefix = f"\x1b[{_COLOURS.get(name, _OTHER)}m{prefix}\x1b[0m"
            text = _short(text)
        self.show(prefix + text)

    def say(self, text: str) -> None:
        """Say something of the launcher's own."""
        self.line(OURS, text.encode())

    def show(self, text: str) -> None:
        """Write to the terminal alone; one that is gone stops nothing."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def tail(self, name: str) -> str:
        """Return the last lines of a process."""
        return "\n".join(self._tails.get(name, ()))

    def close(self) -> None:
        """Close the log files; a later line opens its file again."""
        for file in self._files.values():
            file.close()

    async def pipe(self, name: str) -> tuple[int, asyncio.Event]:
        """Return the end that a process writes to, and an event for when nobody does any more."""
        read, write = os.pipe()
        ended = asyncio.Event()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Lines(self, name, ended), os.fdopen(read, "rb", buffering=0)
        )
        return write, ended


def _short(text: str) -> str:
    """Render a JSON log line as `level event key=value …`; leave anything else as it is."""
    if not text.startswith("{"):
        return text
    try:
        fields = json.loads(text)
    except ValueError:
        return text
    level = str(fields.get("level", ""))
    rest = " ".join(
        f"{key}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for key, value in fields.items()
        if key not in _UNSHOWN
    )
    shown = f"{level} {fields.get('event', '')} {rest}".strip()
    return f"\x1b[{_LEVELS[level]}m{shown}\x1b[0m" if level in _LEVELS else shown


class _Lines(asyncio.Protocol):
    """Cuts a stream of bytes into lines; an endless line is cut, too."""

    def __init__(self, output: Output, name: str, ended: asyncio.Event) -> None:
        self._output = output
        self._name = name
        self._ended = ended
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        for line in lines:
            self._output.line(self._name, line)

    def connection_lost(self, _: Exception | None) -> None:
        if self._rest:
            self._output.line(self._name, self._rest)
        self._ended.set()


class _BoundedFile:
    """A log file that becomes <name>.log.1 when full; a full disk must not stop the suite."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._file is None:
                self._file = self._path.open("ab", buffering=0)
            self._file.write(line + b"\n")
            if self._file.tell() > self._limit:
                self.close()
                self._path.replace(self._path.with_suffix(".log.1"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
