"""PostgreSQL refuses to run as root; when we are root, it runs as an unprivileged account.

The account need not be able to walk to KETNOI_HOME (which may lie below /root): the server gets
its data folder as its working directory and knows it as /proc/self/cwd, which needs no rights on
the folders above. Its program files must be reachable, so they are copied where they are not.
No folder above our own ever gets other permissions.
"""

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path

from ketnoi.errors import LauncherError
from ketnoi.home import explained

# A dedicated account where the administrator made one; otherwise the one every system has.
_CANDIDATES = ("ketnoi", "nobody")
_SYSTEM_CACHE = Path("/var/cache/ketnoi")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user a child becomes."""

    name: str
    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """Return None when we are not root. Data that exists keeps the owner it has."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data.exists() else 0
    if owner:
        return _account(owner)
    for name in _CANDIDATES:
        try:
            return _account(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise LauncherError(
        "PostgreSQL does not run as root, and this system has no unprivileged account."
        " Add one (useradd --system ketnoi), run as a normal user, or set DATABASE_URL."
    )


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise LauncherError(
            f"The data belongs to user {uid}, which this system does not know."
            f" Add the account (useradd --system --uid {uid} ketnoi), or give the folder"
            " to another unprivileged one."
        ) from None
    if uid == 0:
        raise LauncherError("The account for PostgreSQL must not be root itself.")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def give(folder: Path, account: Account | None) -> None:
    """Hand over a new, empty folder of ours."""
    if account is None:
        return
    try:
        os.chown(folder, account.uid, account.gid)
    except OSError as error:
        raise LauncherError(
            f"This root may not act for user {account.name} ({error.strerror}), as in some"
            " containers. Run as a normal user, or set DATABASE_URL to an existing server."
        ) from error


def reachable(path: Path, account: Account) -> bool:
    """Tell whether the account may enter every folder down to `path`."""
    return all(_may_enter(folder, account) for folder in (path, *path.parents))


def _may_enter(folder: Path, account: Account) -> bool:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return True
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def reachable_copy(source: Path, files: tuple[str, ...], home: Path, account: Account) -> Path:
    """Return `source`, or a copy of its `files` in a place that the account can reach.

    The copy's name carries the age and size of the first file, so a new version makes a new one.
    """
    if reachable((source / files[0]).resolve(), account):
        return source
    status = (source / files[0]).stat()
    for place in (home / "programs", _SYSTEM_CACHE):
        if reachable(place.parent, account):
            return _copied(source, files, place / f"{status.st_size}-{int(status.st_mtime)}")
    raise LauncherError(
        f"User {account.name}, as which PostgreSQL must run, can enter neither {source} nor"
        f" {_SYSTEM_CACHE}. Put the checkout or KETNOI_HOME where other users may enter,"
        " for example below /srv."
    )


def _copied(source: Path, files: tuple[str, ...], target: Path) -> Path:
    if target.exists():
        return target
    part = target.with_name(f"{target.name}.{os.getpid()}")
    with explained(target):
        for pattern in files:
            for found in source.glob(pattern):
                copy = part / found.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if found.is_dir() else shutil.copy)(found, copy)
        for path in (target.parent, part, *part.rglob("*")):
            path.chmod(0o755)
        try:
            part.rename(target)
        except OSError:  # another start was faster
            shutil.rmtree(part)
    return target
