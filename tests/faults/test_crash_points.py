"""Crash points: named once, used where they say, and handed by the launcher to one service once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ketnoi.environment import Environment
from ketnoi.errors import UsageError
from shared.kernel.faults import EXIT_CODE, POINTS, VARIABLE
from shared.settings import ServiceSettings

ROOT = Path(__file__).parents[2]


def test_every_point_of_the_list_is_in_the_code_and_every_one_in_the_code_is_listed() -> None:
    used = set()
    for file in ROOT.glob("*/src/**/*.py"):
        used |= set(re.findall(r'crash_point\("(\w+)"\)', file.read_text()))
    assert used == POINTS.keys()


@pytest.mark.parametrize(
    ("order", "passages"), [("relay_published", 1), ("relay_published:3", 3), ("list_writing", 0)]
)
def test_a_process_ends_at_the_passage_it_was_told(order: str, passages: int) -> None:
    program = (
        "from shared.kernel.faults import crash_point\n"
        "for number in range(1, 6):\n"
        "    print(number, flush=True); crash_point('relay_published')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {VARIABLE: order},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (EXIT_CODE if passages else 0)
    assert done.stdout.split()[-1] == str(passages or 5)


def test_a_service_refuses_a_point_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "relay_vanished")
    with pytest.raises(ValueError, match="no crash point 'relay_vanished'"):
        ServiceSettings.load()
    monkeypatch.setenv(VARIABLE, "relay_published:0")
    with pytest.raises(ValueError, match="n-th passage"):
        ServiceSettings.load()


def test_the_launcher_wants_to_know_which_service() -> None:
    read = Environment.read({VARIABLE: "svc-demand:relay_published:3"}, Path("/srv"))
    assert read.crash_at == ("svc-demand", "relay_published:3")
    assert VARIABLE not in read.inherited
    for wrong, why in {
        "relay_published": "it is <service>:<point>",
        "svc-none:relay_published": "services are svc-demand",
        "svc-demand:gone": "no crash point 'gone'",
    }.items():
        with pytest.raises(UsageError, match=why):
            Environment.read({VARIABLE: wrong}, Path("/srv"))
