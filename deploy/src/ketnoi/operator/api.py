"""The public API as the command line uses it: a token that renews itself, errors that explain."""

import time
from collections.abc import Mapping
from typing import Any, Self

import httpx

from ketnoi.environment import Environment
from ketnoi.errors import LauncherError, UsageError
from ketnoi.home import Home, read_json

TIMEOUT_SECONDS = 30.0
_RENEW_SECONDS = 60.0
_TRIES = 4


class Api:
    """A client of the gateway, acting as one of the seeded clients."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self.url = url
        self._credentials = (client_id, client_secret)
        self._token = ""
        self._expires_at = 0.0
        self._http = httpx.Client(
            base_url=url, timeout=TIMEOUT_SECONDS, headers={"Accept-Language": "vi"}
        )

    @classmethod
    def of(
        cls, environment: Environment, *, url: str | None = None, role: str = "operator"
    ) -> Self:
        """Find address and credentials in KETNOI_HOME."""
        home = Home(environment.home)
        clients = read_json(home.dev_clients)
        if not isinstance(clients, dict) or role not in clients:
            raise UsageError(
                f"No client '{role}' in {home.dev_clients}. Start the suite once with `make run`,"
                " or set KETNOI_HOME to the folder it runs on."
            )
        state = read_json(home.state)
        address = url or (state or {}).get("url") or f"http://127.0.0.1:{environment.port}"
        client = clients[role]
        return cls(str(address), client["client_id"], client["client_secret"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send with a token; wait and try again while the suite is away or busy."""
        for attempt in range(_TRIES):
            try:
                headers = {
                    **options.pop("headers", {}),
                    "Authorization": f"Bearer {self._bearer()}",
                }
                answer = self._http.request(method, path, headers=headers, **options)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise LauncherError(
                        f"No answer from {self.url} ({error}). Is the suite running? `make run`"
                    ) from error
            else:
                busy = answer.status_code in (429, 503)
                if not busy or attempt == _TRIES - 1:
                    return answer
            time.sleep(2**attempt / 2)
        raise AssertionError("unreachable")

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return the body of a 2xx answer; LauncherError with the problem's own words otherwise."""
        answer = self.request(method, path, **options)
        if not answer.is_success:
            raise LauncherError(f"{method} {path}: {explain(answer)}")
        body: dict[str, Any] = answer.json()
        return body

    def health(self) -> dict[str, Any]:
        """Return the gathered health, whatever its status code says."""
        try:
            answer = self._http.get("/healthz")
            body: dict[str, Any] = answer.json()
        except (httpx.TransportError, ValueError) as error:
            raise LauncherError(
                f"No answer from {self.url} ({error}). Is the suite running? `make run`"
            ) from error
        return body

    def _bearer(self) -> str:
        if time.monotonic() > self._expires_at:
            answer = self._http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=self._credentials
            )
            if not answer.is_success:
                raise LauncherError(f"{self.url} refuses these credentials: {explain(answer)}")
            body = answer.json()
            self._token = body["access_token"]
            self._expires_at = time.monotonic() + body["expires_in"] - _RENEW_SECONDS
        return self._token


def explain(answer: httpx.Response) -> str:
    """Return what a refusal says, in one line."""
    try:
        problem: Mapping[str, Any] = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"
    text = f"{answer.status_code} {problem.get('detail', '')}"
    for error in list(problem.get("errors") or [])[:5]:
        text += f"; {error['pointer']}: {error['message']}"
    return text
