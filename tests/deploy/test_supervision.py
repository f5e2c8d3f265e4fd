"""Keeping processes alive, telling what they say, ending those that will not go."""

import asyncio
import io
import json
import os
import signal
import sys
from contextlib import closing

import psutil
import pytest

from ketnoi.errors import LauncherError
from ketnoi.supervision.forkhost import ForkHost
from ketnoi.supervision.output import Output
from ketnoi.supervision.processes import MINIMAL_ENVIRONMENT, command, spawn
from ketnoi.supervision.supervisor import Program, Supervisor


class Screen(io.StringIO):
    """What a person sees; a terminal when told so."""

    def __init__(self, *, tty=False):
        super().__init__()
        self._tty = tty

    def isatty(self):
        return self._tty


@pytest.fixture
def screen():
    return Screen()


@pytest.fixture
def output(tmp_path, screen):
    with closing(Output(tmp_path, width=8, stream=screen)) as output:
        yield output


@pytest.fixture
async def supervisor(output):
    supervisor = Supervisor(output)
    yield supervisor
    await supervisor.stop()


def python(source, **options):
    """A program that runs Python source; ready when it has said so."""

    async def launch(write):
        wrapped = command([sys.executable, "-c", source], death_signal=signal.SIGKILL)
        return await spawn(wrapped, output=write, environment=MINIMAL_ENVIRONMENT)

    return Program(name="child", launch=launch, **options)


def has_said(screen, text):
    async def look():
        return text in screen.getvalue()

    return look


async def until_said(screen, text):
    async with asyncio.timeout(20):
        while text not in screen.getvalue():
            await asyncio.sleep(0.01)


async def test_restarts_wait_longer_each_time(supervisor, screen):
    await supervisor.start(python("print('up')", is_ready=has_said(screen, "up"), attempts=9))
    for delay in ("0.2", "0.4", "0.8", "1.6"):
        await until_said(screen, f"child ended with exit code 0; starting again in {delay} s")


async def test_start_that_fails_says_the_last_words(supervisor, screen):
    never = has_said(screen, "never")
    with pytest.raises(LauncherError) as error:
        await supervisor.start(python("import sys; sys.exit('last words')", is_ready=never))
    assert str(error.value) == "child ended with exit code 1 before it was ready.\nlast words"


async def test_start_that_takes_too_long_is_given_up(supervisor, screen):
    program = python(
        "import time; print('working', flush=True); time.sleep(60)",
        is_ready=has_said(screen, "never"),
        ready_seconds=0.5,
    )
    with pytest.raises(LauncherError, match=r"child was not ready within 0.5 s"):
        await supervisor.start(program)


DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)"
)


async def test_process_that_ignores_sigterm_is_killed(output, screen):
    supervisor = Supervisor(output)
    ladder = ((signal.SIGTERM, 0.2), (signal.SIGKILL, 5))
    await supervisor.start(python(DEAF, is_ready=has_said(screen, "deaf"), ladder=ladder))
    pid = supervisor.pids()["child"]
    await supervisor.stop()
    assert not psutil.pid_exists(pid)


async def test_hurry_shortens_the_wait(output, screen):
    supervisor = Supervisor(output)
    await supervisor.start(python(DEAF, is_ready=has_said(screen, "deaf")))
    stopping = asyncio.create_task(supervisor.stop())
    supervisor.hurry.set()
    async with asyncio.timeout(10):  # the ladder alone would take fifteen
        await stopping
    assert supervisor.pids() == {}


async def test_stop_during_back_off_does_not_start_again(output, screen):
    supervisor = Supervisor(output)
    await supervisor.start(python("print('up')", is_ready=has_said(screen, "up"), attempts=9))
    await until_said(screen, "starting again in 0.8 s")
    await supervisor.stop()
    assert supervisor.pids() == {}


async def test_lines_are_aligned_logged_and_the_last_may_lack_its_end(tmp_path, output, screen):
    write, ended = await output.pipe("svc")
    os.write(write, "một\nhai".encode())
    os.close(write)
    await ended.wait()
    assert screen.getvalue() == "svc      | một\nsvc      | hai\n"
    assert (tmp_path / "svc.log").read_text() == "một\nhai\n"
    assert output.tail("svc") == "một\nhai"


async def test_endless_line_is_cut(output, screen):
    write, ended = await output.pipe("svc")
    await asyncio.to_thread(os.write, write, b"x" * 65_536)
    await asyncio.to_thread(os.write, write, b"x" * 65_536)
    os.close(write)
    await ended.wait()
    lines = screen.getvalue().splitlines()
    assert len(lines) > 1
    assert sum(line.count("x") for line in lines) == 131_072


def test_log_file_is_bounded(tmp_path):
    with closing(Output(tmp_path, width=3, stream=Screen(), log_bytes=1000)) as output:
        for number in range(500):
            output.line("svc", f"line {number}".encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["svc.log", "svc.log.1"]
    assert all(path.stat().st_size < 1100 for path in tmp_path.iterdir())


def test_terminal_shows_json_shortly_and_the_log_keeps_it_whole(tmp_path):
    screen = Screen(tty=True)
    raw = json.dumps({"level": "info", "event": "sẵn sàng", "timestamp": "…", "port": 1})
    with closing(Output(tmp_path, width=3, stream=screen)) as output:
        output.line("svc", raw.encode())
    assert screen.getvalue().endswith("\x1b[0minfo sẵn sàng port=1\n")
    assert (tmp_path / "svc.log").read_text() == raw + "\n"


def test_terminal_that_is_gone_stops_nothing(tmp_path):
    screen = Screen()
    screen.close()
    with closing(Output(tmp_path, width=3, stream=screen)) as output:
        output.line("svc", b"still logged")
    assert (tmp_path / "svc.log").read_text() == "still logged\n"


@pytest.fixture
async def host(output):
    host = ForkHost(os.environ | {"SECRET": "no"}, ["json", "no_such_module"])
    supervisor = Supervisor(output)
    await supervisor.start(Program(name="forkhost", launch=host.launch, is_ready=host.is_ready))
    yield host, supervisor
    await supervisor.stop()


async def forked(host, output, entry, *arguments, environment=None):
    write, ended = await output.pipe("child")
    running = await host.fork("child", entry, arguments, environment or {}, write)
    os.close(write)
    return running, ended


async def test_forked_child_has_its_own_environment_and_output(host, output):
    script = "import os; print(sorted(os.environ), os.environ['WORD'])"
    child, ended = await forked(
        host[0], output, "builtins:exec", script, environment={"WORD": "từ"}
    )
    assert await child.wait() == 0
    await ended.wait()
    assert output.tail("child") == "['WORD'] từ"
    assert "not preloaded: no_such_module" in output.tail("forkhost")


async def test_a_child_that_has_ended_before_anybody_asked_is_no_mystery(host) -> None:
    fork_host = host[0]
    fork_host._started = asyncio.get_running_loop().create_future()
    fork_host._heard({"started": 999_999})
    fork_host._heard({"exited": 999_999, "code": 3})
    running = await fork_host._started
    assert (running.pid, await running.wait()) == (999_999, 3)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("raise SystemExit(3)", 3),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15),
    ],
)
async def test_forked_child_reports_how_it_ended(host, output, script, code):
    child, _ = await forked(host[0], output, "builtins:exec", script)
    assert await child.wait() == code


async def test_children_end_with_the_fork_host_and_it_comes_back(host, output, screen):
    forkhost, supervisor = host
    child, ended = await forked(
        forkhost, output, "builtins:exec", "import time; print('up', flush=True); time.sleep(60)"
    )
    await until_said(screen, "child    | up")
    os.kill(supervisor.pids()["forkhost"], signal.SIGKILL)
    assert await child.wait() == -9
    await ended.wait()
    again, _ = await forked(forkhost, output, "builtins:exec", "pass")
    assert await again.wait() == 0
