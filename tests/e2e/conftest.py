"""One whole suite for all end-to-end tests, started as a user starts it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from ketnoi.local_suite import LocalSuite, local_suite


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSuite]:
    with local_suite(tmp_path_factory.mktemp("suite") / "home") as running:
        yield running


class Client:
    """Talks to the gateway as one of the seeded clients."""

    def __init__(self, suite: LocalSuite, name: str | None) -> None:
        self.http = httpx.Client(base_url=suite.url, timeout=10, headers={"Accept-Language": "en"})
        if name is not None:
            token = self.http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=suite.client(name),
            )
            assert token.status_code == 200, token.text
            self.http.headers["Authorization"] = "Bearer " + token.json()["access_token"]

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path, **options)

    def ok(self, method: str, path: str, **options: Any) -> Any:
        answer = self(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


@pytest.fixture(scope="session")
def client_of(suite: LocalSuite) -> Iterator[Callable[[str | None], Client]]:
    known: dict[str | None, Client] = {}

    def of(name: str | None) -> Client:
        if name not in known:
            known[name] = Client(suite, name)
        return known[name]

    yield of
    for client in known.values():
        client.http.close()


@pytest.fixture(scope="session")
def operator(client_of: Callable[[str | None], Client]) -> Client:
    return client_of("operator")


def _until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Return the first true value of `condition`; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not come true within {seconds} s: {condition}")


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    return _until
