"""Everything that can be foreseen to go wrong at the start is a message with what to do."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from ketnoi.credentials import load_credentials
from ketnoi.errors import LauncherError
from ketnoi.home import Home
from ketnoi.local import embedded_servers
from ketnoi.servers.nats import EmbeddedNats
from ketnoi.servers.postgres import EmbeddedPostgres, clear_stale_pid_file
from ketnoi.supervision.processes import MINIMAL_ENVIRONMENT, command, finished

pytestmark = pytest.mark.timeout(120)
IS_ROOT = os.geteuid() == 0


async def refused(launched, code=1):
    assert await launched.ended() == code, launched.said
    assert "Traceback" not in launched.said
    return next(line for line in launched.lines if line.startswith("ketnoi: "))


async def test_busy_port_names_its_holder(launch):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        said = await refused(await launch(KETNOI_PORT=str(port)))
    assert f"Port {port} is in use by process {os.getpid()} (" in said
    assert "set KETNOI_PORT" in said


async def test_foreign_host_is_refused(launch):
    said = await refused(await launch(KETNOI_PORT="8080", KETNOI_HOST="192.0.2.1"), 2)
    assert "Check KETNOI_HOST" in said


async def test_second_launcher_on_the_same_home_names_the_first(launch):
    first = await launch()
    await first.ready()
    said = await refused(await launch())
    assert f"already running on {first.home} (pid {first.process.pid})" in said
    assert (await first.who("gateway"))["pid"]


async def test_home_that_is_a_file(launch, tmp_path):
    (tmp_path / "file").write_text("x")
    said = await refused(await launch(home=tmp_path / "file"))
    assert f"Cannot write {tmp_path / 'file'}" in said
    assert "Set KETNOI_HOME" in said


async def test_home_without_write_permission(launch):
    said = await refused(await launch(home=Path("/proc/ketnoi")))  # not even root may write there
    assert "Cannot write /proc/ketnoi" in said
    assert "Set KETNOI_HOME" in said


async def test_credentials_are_not_made_anew_for_data_that_needs_the_old_ones(launch, tmp_path):
    home = tmp_path / "home"
    (home / "data" / "postgres").mkdir(parents=True)
    (home / "data" / "postgres" / "PG_VERSION").write_text("18")
    said = await refused(await launch())
    assert "which holds its passwords, is missing" in said
    assert not (home / "credentials.json").exists()


async def test_damaged_credentials_are_kept(launch, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "credentials.json").write_text("{")
    said = await refused(await launch())
    assert "credentials.json is damaged" in said
    assert (tmp_path / "home" / "credentials.json").read_text() == "{"


async def test_data_of_another_major_version(launch, tmp_path):
    data = tmp_path / "home" / "data" / "postgres"
    (data / "global").mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    (data / "global" / "pg_control").write_text("")
    load_credentials_of_an_earlier_start(tmp_path / "home")
    said = await refused(await launch())
    assert "made by PostgreSQL 16; this release brings 18" in said
    assert (data / "PG_VERSION").read_text() == "16\n"


def load_credentials_of_an_earlier_start(root):
    (root / "credentials.json").write_text(json.dumps({"postgres": {}, "nats": {}}))
    load_credentials(Home(root))


async def test_half_initialised_folder_is_set_aside_and_never_deleted(launch, tmp_path):
    data = tmp_path / "home" / "data"
    for name in ("postgres", "postgres.initialising"):
        (data / name / "base").mkdir(parents=True)
        (data / name / "base" / "1").write_text(name)
    launched = await launch()
    await launched.ready()
    assert "is half-initialised; it is now" in launched.said
    aside = sorted(data.glob("postgres.incomplete-*"))
    assert sorted((folder / "base" / "1").read_text() for folder in aside) == [
        "postgres",
        "postgres.initialising",
    ]


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "data").mkdir()
    said = []
    return said, EmbeddedPostgres(
        data=tmp_path / "data" / "postgres",
        home=tmp_path,
        port=1,
        password="x",
        say=said.append,
        durable=False,
    )


async def test_pid_file_of_a_foreign_process_is_seen_through(cluster):
    said, postgres = cluster
    await postgres.prepare()
    file = postgres.data / "postmaster.pid"
    file.write_text(f"{os.getpid()}\n{postgres.data}\n")
    await clear_stale_pid_file(postgres.data, said.append)
    assert not file.exists()
    assert f"process {os.getpid()} is no PostgreSQL on this folder" in said[0]


async def test_pid_file_of_a_dead_process_is_left_to_postgres(cluster):
    said, postgres = cluster
    await postgres.prepare()
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    file = postgres.data / "postmaster.pid"
    file.write_text(f"{dead.pid}\n")
    await clear_stale_pid_file(postgres.data, said.append)
    assert file.exists()
    assert said == []


async def test_live_server_on_the_folder_is_named_and_left_alone(tmp_path):
    async with embedded_servers(tmp_path, migrations=False, streams=False) as servers:
        with pytest.raises(LauncherError) as error:
            await clear_stale_pid_file(tmp_path / "postgres", print, seconds=0)
        assert f"kill -INT {servers.postgres_pid}" in str(error.value)
        assert (tmp_path / "postgres" / "postmaster.pid").exists()


async def test_full_disk_at_initdb(launch, tmp_path):
    home = tmp_path / "small"
    home.mkdir()
    with small_disk(home):
        launched = await launch(home=home)
        said = await refused(launched)
        assert "the disk is full. Free some space, or set KETNOI_HOME" in said
        assert list((home / "data").glob("postgres*")) == []


@contextlib.contextmanager
def small_disk(folder):
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if not IS_ROOT or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_program_for_another_processor(tmp_path, cluster):
    program = tmp_path / "postgres"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(64))
    program.chmod(0o755)
    wrapped = command([str(program)], death_signal=9)
    code, said = await finished(wrapped, environment=MINIMAL_ENVIRONMENT)
    nats = EmbeddedNats(
        store=tmp_path, run=tmp_path, port=1, monitor_port=2, services=(), passwords={}
    )
    for server in (cluster[1], nats):
        message = server.explain(code, said)
        assert "the wheel is for another processor" in message
        assert "Install the pinned dependencies on this machine again" in message


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://nobody:wrong@{where}/postgres", "refused the administrator"),
        ("postgresql://a:b@127.0.0.1:1/postgres", "Cannot reach the PostgreSQL of DATABASE_URL"),
        ("postgresql://svc_demand:{demand}@{where}/ketnoi", "may not do what is needed"),
    ],
)
async def test_unusable_database_url(launch, bare, home_of_bare, url, told):
    where = bare.admin_database_url.partition("@")[2].partition("/")[0]
    url = url.format(where=where, demand=bare.passwords["svc_demand"])
    launched = await launch(DATABASE_URL=url, NATS_URL=bare.nats_admin_url)
    assert told in await refused(launched, 2)


async def test_unreachable_nats_url(launch, bare):
    launched = await launch(DATABASE_URL=bare.admin_database_url, NATS_URL="nats://127.0.0.1:1")
    assert "Cannot reach the nats-server of NATS_URL" in await refused(launched, 2)


async def test_nats_server_that_does_not_know_the_services_users(launch, bare, tmp_path):
    launched = await launch(DATABASE_URL=bare.admin_database_url, NATS_URL=bare.nats_admin_url)
    said = await refused(launched, 2)
    users = tmp_path / "home" / "run" / "nats-users.conf"
    assert f"does not let the user svc_demand in. Include {users}" in said
    assert users.exists()


async def test_postgres_that_is_too_old(launch, bare, home_of_bare):
    async def old_postgres(reader, writer):
        (length,) = (int.from_bytes(await reader.readexactly(4)),)
        if length == 8:  # asks for TLS
            await reader.readexactly(4)
            writer.write(b"N")
            length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
        version = b"server_version\x0014.9\x00"
        writer.write(b"R" + bytes([0, 0, 0, 8, 0, 0, 0, 0]))
        writer.write(b"S" + (len(version) + 4).to_bytes(4) + version)
        writer.write(b"Z" + bytes([0, 0, 0, 5]) + b"I")
        await reader.readuntil(b"X")  # the client leaves
        writer.close()

    async with await asyncio.start_server(old_postgres, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        launched = await launch(
            DATABASE_URL=f"postgresql://a:b@127.0.0.1:{port}/postgres", NATS_URL=bare.nats_admin_url
        )
        said = await refused(launched, 2)
    assert "DATABASE_URL is PostgreSQL 14.9; 15 or newer is needed" in said


async def test_nats_that_is_too_old(launch, bare):
    async def old_nats(reader, writer):
        writer.write(b'INFO {"version":"2.9.10","max_payload":1048576}\r\n')
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(old_nats, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        launched = await launch(
            DATABASE_URL=bare.admin_database_url, NATS_URL=f"nats://127.0.0.1:{port}"
        )
        said = await refused(launched, 2)
    assert "NATS_URL is nats-server 2.9.10; 2.12 or newer is needed" in said
