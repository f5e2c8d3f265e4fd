"""The whole suite loses its broker's store and puts itself right, with nobody near."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ketnoi.local_suite import LocalSuite, local_suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSuite]:
    with local_suite(tmp_path_factory.mktemp("recovery") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def api(suite: LocalSuite) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=suite.url, timeout=10) as client:
        answer = client.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=suite.client("operator"),
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def _wait(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not recover"
        time.sleep(0.1)


def _publish(api: httpx.Client, what: str, ref: str, **body: Any) -> str:
    profile = {
        "title": f"Máy sấy chè {ref}",
        "description": "Sấy chè xanh bằng bơm nhiệt, điều khiển độ ẩm",
        "language": "vi",
        "status": "PUBLISHED",
    }
    answer = api.put(f"/v1/{what}/by-ref/recovery/{ref}", json=profile | body)
    assert answer.is_success, answer.text
    found: str = answer.json()["id"]
    return found


def _matched(api: httpx.Client, demand: str) -> Callable[[], bool]:
    def matched() -> bool:
        answer = api.get(f"/v1/demands/{demand}/matches")
        return answer.is_success and bool(answer.json()["items"])

    return matched


def _messages(suite: LocalSuite) -> dict[str, int]:
    port = suite.state["ports"]["nats-monitor"]
    answer = httpx.get(f"http://127.0.0.1:{port}/jsz?streams=true&accounts=true").json()
    streams = [s for account in answer["account_details"] for s in account.get("stream_detail", [])]
    return {stream["name"]: stream["state"]["messages"] for stream in streams}


def _healthy(suite: LocalSuite) -> bool:
    try:
        return bool(httpx.get(f"{suite.url}/healthz", timeout=3).json()["status"] == "pass")
    except (httpx.TransportError, ValueError):
        return False


def test_a_deleted_store_comes_back_by_itself(suite: LocalSuite, api: httpx.Client) -> None:
    _publish(api, "supplies", "s", kind="EQUIPMENT", country="VN")
    demand = _publish(api, "demands", "d", kind="APPLICATION", province="19")
    _wait(_matched(api, demand))
    _wait(lambda: _healthy(suite))
    before = _messages(suite)

    # Away in one step, so that the launcher starts the server on an empty folder.
    store: Path = suite.home / "data" / "nats"
    store.rename(store.with_name("lost"))
    store.mkdir()
    os.kill(suite.state["processes"]["nats"], signal.SIGKILL)

    def all_is_back() -> bool:
        try:
            held = _messages(suite)
        except (httpx.TransportError, KeyError):
            return False
        return all(held.get(name, 0) >= count for name, count in before.items())

    _wait(all_is_back)
    after = _publish(api, "demands", "after", kind="APPLICATION", province="19")
    _wait(_matched(api, after))
    _wait(lambda: _healthy(suite))
