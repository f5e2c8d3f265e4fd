"""The one folder that holds everything a local suite keeps: data, logs, keys, passwords."""

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketnoi.errors import LauncherError


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below KETNOI_HOME; nothing else in the code spells them."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def nats(self) -> Path:
        return self.data / "nats"

    @property
    def snapshots(self) -> Path:
        """Where svc-matching keeps copies of its index; it can do without."""
        return self.data / "snap"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"

    @property
    def dev_clients(self) -> Path:
        return self.root / "dev-clients.json"

    @property
    def state(self) -> Path:
        """Where a running launcher writes its pid and address, for the other commands."""
        return self.run / "state.json"

    def prepare(self) -> None:
        """Make the folders that are missing; say which one cannot be made, and why."""
        folders = (self.root, self.data, self.nats, self.logs, self.keys, self.run)
        for folder in folders:
            with explained(folder):
                # The root may be entered (not read): a dropped server may need its programs.
                mode = 0o711 if folder == self.root else 0o700
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only launcher on this home; the kernel lets go of the lock when we die."""
        path = self.run / "launcher.lock"
        with explained(path), path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise LauncherError(
                    f"Ketnoi is already running on {self.root} (pid {file.read().strip() or '?'})."
                    " Stop it first, or set KETNOI_HOME and KETNOI_PORT to start another one."
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the file system refuses below `path` into a message that says what to do."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = (
                f"Give the user {os.geteuid()} the right to write there,"
                " or set KETNOI_HOME to a folder of its own."
            )
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "Free some space, or set KETNOI_HOME to a folder on a larger disk."
        elif error.errno in (
            errno.ENOENT,
            errno.ENOTDIR,
            errno.EEXIST,
            errno.ENAMETOOLONG,
            errno.ELOOP,
        ):
            advice = "Set KETNOI_HOME to a folder that exists or can be made."
        else:
            raise
        raise LauncherError(f"Cannot write {where}: {error.strerror}. {advice}") from error


def write_private(path: Path, text: str) -> None:
    """Replace a file as a whole, readable by its owner only."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with explained(path):
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def read_json(path: Path) -> Any | None:
    """Return None when there is no such file; refuse one that is damaged, never replace it."""
    with explained(path):
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise LauncherError(
                f"{path} is damaged ({error}). Put a copy of it back, or move it away."
            ) from error


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON, privately and as a whole."""
    write_private(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
