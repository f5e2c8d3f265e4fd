"""The README's tour, run as printed on a fresh suite; only the address and the folder differ."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ketnoi.local_suite import local_suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```bash\n(?P<commands>.*?)```\n(?:\n?```text\n(?P<output>.*?)```)?", re.DOTALL)
MARK = "=== next block ==="


def _tour() -> list[tuple[str, list[str]]]:
    """Return the commands of each block and the lines it is said to print."""
    text = (ROOT / "README.md").read_text()
    section = text[text.index("## A five-minute tour") : text.index("## How it is built")]
    return [
        (found["commands"], (found["output"] or "").splitlines())
        for found in BLOCK.finditer(section)
    ]


def test_the_tour_prints_what_the_readme_says(tmp_path: Path) -> None:
    tour = _tour()
    assert len(tour) > 5
    with local_suite(tmp_path / "home") as suite:
        folder = tmp_path / "clone"
        folder.mkdir()
        (folder / ".ketnoi").symlink_to(suite.home)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        script = f"\necho '{MARK}'\n".join(commands for commands, _ in tour)
        script = "set -euo pipefail\n" + script.replace("http://127.0.0.1:8080", suite.url)
        environment = suite.environment() | {"COLUMNS": "100"}
        del environment["KETNOI_HOME"]  # a new user has not set it
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(MARK + "\n")
    assert len(printed) == len(tour)
    for (commands, expected), output in zip(tour, printed, strict=True):
        lines = output.splitlines()
        for line in expected:
            start = line.removesuffix(" …")
            found = [
                given
                for given in lines
                if given == line or (line != start and given.startswith(start))
            ]
            assert found, f"{commands}\nsays it prints\n{line}\nbut printed\n{output}"
