"""PostgreSQL does not run as root; the launcher does, and a normal user may as well."""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from ketnoi.local import embedded_servers
from ketnoi.ports import free_port
from ketnoi.servers import postgres
from ketnoi.servers.postgres import EmbeddedPostgres
from ketnoi.servers.privileges import account_for, reachable, reachable_copy
from ketnoi.supervision.processes import send

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up rights"),
]


@pytest.fixture
def public_folder():
    """A folder that every account may enter, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="ketnoi-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_root_runs_postgres_as_an_unprivileged_user_below_a_closed_folder(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    async with embedded_servers(closed / "home", migrations=False, streams=False) as servers:
        server = psutil.Process(servers.postgres_pid)
        assert server.uids().effective != 0
        assert server.username() == account_for(closed / "none").name
        assert not reachable(closed / "home", account_for(closed / "none"))
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (closed, tmp_path)]
    assert modes == [0o700, 0o700]


async def test_data_keeps_its_owner(tmp_path):
    other = pwd.getpwnam("daemon")
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", other.pw_uid, other.pw_gid)
    assert account_for(tmp_path / "data").name == "daemon"


async def test_programs_in_a_closed_folder_are_copied_to_the_home_and_run(tmp_path, public_folder):
    account = account_for(public_folder / "none")
    wheel = tmp_path / "closed" / "site-packages"
    for pattern in postgres._FILES:
        for found in postgres.wheel().glob(pattern):
            copy = wheel / found.relative_to(postgres.wheel())
            copy.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if found.is_dir() else shutil.copy)(found, copy)
    (tmp_path / "closed").chmod(0o700)
    assert not reachable(wheel, account)
    server = EmbeddedPostgres(
        data=public_folder / "data",
        home=public_folder,
        port=free_port(),
        password="x",
        say=print,
        durable=False,
        packages=wheel,
    )
    running = await server.launch(2)
    try:
        while not await server.is_ready():
            assert running.returncode is None
        program = Path(psutil.Process(running.pid).exe())
        assert public_folder / "programs" in program.parents
    finally:
        send(running.pid, 2)
        await running.wait()
    assert reachable_copy(wheel, postgres._FILES, public_folder, account) in program.parents
    assert stat.S_IMODE((tmp_path / "closed").stat().st_mode) == 0o700


def python_for_everyone():
    """Return an interpreter that an unprivileged user can start, with its search path."""
    own = Path(sys.executable)
    candidates = [own.resolve(), Path("/usr/bin/python3")]
    nobody = account_for(Path("/nonexistent"))
    for candidate in candidates:
        if candidate.exists() and reachable(candidate.resolve(), nobody):
            version = subprocess.run(
                [candidate, "-c", "import sys; print(*sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if version == [str(part) for part in sys.version_info[:2]]:
                return candidate, nobody
    pytest.skip("no interpreter that an unprivileged user may start")


def members():
    """Return the folders of installed packages and of our own, without the standard library."""
    ours = (folder for folder in sys.path if folder.endswith(("site-packages", "src")))
    return os.pathsep.join(ours)


async def test_normal_user_runs_everything_as_himself(launch, public_folder):
    python, nobody = python_for_everyone()
    os.chown(public_folder, nobody.uid, nobody.gid)
    launched = await launch(
        public_folder / "home", python=str(python), user=nobody.uid, PYTHONPATH=members(), HOME="/"
    )
    await launched.ready()
    with contextlib.suppress(psutil.NoSuchProcess):
        assert {process.uids().effective for process in launched.family()} == {nobody.uid}
    assert await launched.stop() == 0


async def test_home_of_somebody_else_is_explained(launch, public_folder):
    python, nobody = python_for_everyone()
    (public_folder / "home").mkdir(mode=0o755)
    launched = await launch(
        public_folder / "home", python=str(python), user=nobody.uid, PYTHONPATH=members()
    )
    assert await launched.ended() == 1
    assert f"Cannot write {public_folder / 'home'}" in launched.said
    assert f"Give the user {nobody.uid} the right to write there" in launched.said
    assert "Traceback" not in launched.said
