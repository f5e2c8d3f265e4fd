"""A whole suite to break, and the eyes of somebody who reads nothing but its health page."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ketnoi.local_suite import LocalSuite, local_suite

SEEN_SECONDS = 25.0
GONE_SECONDS = 60.0
LINGERING = {"loop_slow", "database_disk_full", "consumer_stopped", "broker_no_rights", "task_died"}
"""Shown for some seconds longer than the fault lasts, and in nobody's way."""


@dataclass(frozen=True)
class Patient:
    """The suite, its administrators' addresses, and how its page reads."""

    suite: LocalSuite
    small_volume: Path | None
    """A volume of 12 MiB that holds JetStream's store, where mounting is allowed."""

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.suite.home / "credentials.json").read_text())

    @property
    def admin_database_url(self) -> str:
        password = self.credentials["postgres"]["admin"]
        return f"postgresql://postgres:{password}@127.0.0.1:{self._port('postgres')}/ketnoi"

    @property
    def admin_nats_url(self) -> str:
        password = self.credentials["nats"]["admin"]
        return f"nats://admin:{password}@127.0.0.1:{self._port('nats')}"

    def _port(self, name: str) -> int:
        return self.suite.state["ports"][name]

    def signal(self, name: str, what: signal.Signals) -> None:
        """Signal one process; the launcher and the fork host would start a dead one again."""
        pid = self.suite.launcher_pid if name == "launcher" else self.suite.state["processes"][name]
        os.kill(pid, what)

    @contextmanager
    def stopped(self, name: str) -> Iterator[None]:
        self.signal(name, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(name, signal.SIGCONT)

    def page(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.suite.url}/healthz", timeout=5)
        assert answer.headers["content-type"] == "application/health+json"
        assert (answer.status_code == 503) == (answer.json()["status"] == "fail")
        return answer.json()

    def publish_demands(self, count: int, words: int = 8) -> list[int]:
        """Publish as a user does; return the status codes."""
        with httpx.Client(base_url=self.suite.url, timeout=10) as http:
            token = http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=self.suite.client("operator"),
            ).json()["access_token"]
            body = {
                "title": "Máy sấy chè",
                "description": "Cần máy sấy chè " * words,
                "language": "vi",
                "kind": "APPLICATION",
                "status": "PUBLISHED",
            }
            stamp = time.monotonic_ns()
            return [
                http.put(
                    f"/v1/demands/by-ref/health/{stamp}-{number}",
                    json=body,
                    headers={"Authorization": f"Bearer {token}"},
                ).status_code
                for number in range(count)
            ]

    def diagnosed(self, code: str, part: str, since: datetime | None = None) -> dict[str, Any]:
        """Wait until the page says it; the entry must tell part, time and step in two languages."""
        found = until(
            lambda: self._entry(code, part, since), SEEN_SECONDS, lambda: self.page()["broken"]
        )
        for text in (found["what"], found["what_to_do"]):
            assert text["vi"]
            assert text["en"]
            assert text["vi"] != text["en"]
        assert datetime.fromisoformat(found["since"]) <= datetime.now(UTC)
        return found

    def _entry(self, code: str, part: str, since: datetime | None) -> dict[str, Any] | None:
        for entry in self.page()["broken"]:
            if entry["code"] == code and part in entry["parts"]:
                began = datetime.fromisoformat(entry["since"])
                if since is None or began >= since - timedelta(seconds=1):
                    return entry
        return None

    def troubles(self) -> set[str]:
        return {entry["code"] for entry in self.page()["broken"]}


def until(
    condition: Callable[[], Any], seconds: float, explain: Callable[[], Any] = lambda: ""
) -> Any:
    """Return the first true value of `condition`; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"did not come true within {seconds} s; there is {explain()}")


@pytest.fixture(scope="module")
def module_patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    home = tmp_path_factory.mktemp("health") / "home"
    with _small_volume(home / "data" / "nats") as volume, local_suite(home) as running:
        patient = Patient(running, volume)
        yield patient
        until(lambda: not patient.troubles(), GONE_SECONDS, patient.troubles)


@pytest.fixture
def patient(module_patient: Patient) -> Patient:
    """The suite, free of the fault before."""
    until(lambda: module_patient.troubles() <= LINGERING, GONE_SECONDS, module_patient.troubles)
    return module_patient


@contextmanager
def _small_volume(folder: Path) -> Iterator[Path | None]:
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "ketnoi-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
