"""What must never stand in a committed file."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Put together from halves, or this file would find itself.
REGISTRY_HOSTS = (
    "py" + "pi.org",
    "python" + "hosted",
    "npm" + "js.org",
    "deb." + "debian",
    "crates" + ".io",
)


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


FILES = _tracked()


def _containing(pattern: str) -> list[str]:
    found = re.compile(pattern.encode())
    return [str(path.relative_to(ROOT)) for path in FILES if found.search(path.read_bytes())]


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 50


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(host: str) -> None:
    assert _containing(re.escape(host)) == []


def test_the_host_free_lock_is_the_only_one() -> None:
    names = {path.name for path in FILES}
    assert "requirements.lock" in names
    assert "uv.lock" not in names


def test_every_pin_has_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text()
    pins = [line for line in text.splitlines() if re.match(r"^[a-z0-9].*==", line)]
    assert pins
    assert [line for line in pins if not line.endswith("\\")] == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    assert _containing(re.escape(str(ROOT.parent) + "/")) == []


def test_every_service_has_the_same_rooms() -> None:
    rooms = {"api", "consumers", "usecases", "domain", "storage", "migrations"}
    for service in ("demand", "supply", "matching", "reporting"):
        package = ROOT / f"svc-{service}" / "src" / f"svc_{service}"
        present = {path.name for path in package.iterdir() if path.is_dir()}
        allowed = rooms | ({"engine", "clients"} if service == "matching" else set())
        assert present - {"__pycache__"} <= allowed, service
        for module in ("main.py", "worker.py", "settings.py"):
            assert (package / module).is_file(), (service, module)
