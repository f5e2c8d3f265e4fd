"""Rate limits: by client with a valid token, by address without."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.domain.rates import WINDOW_SECONDS, RateWindow, Usage, address_key
from shared.http.auth import TokenVerifier
from shared.http.problems import problem_response
from shared.kernel.errors import TooManyError, UnauthenticatedError

_LIMITED = ("/v1/", "/oauth/")


class RateLimitMiddleware:
    """Counts before the body is read; says on every reply how much is left."""

    def __init__(self, app: ASGIApp, *, anonymous: int, known: int) -> None:
        self._app = app
        self._limits = {"anonymous": anonymous, "client": known}
        self._policies = {
            name: (b"ratelimit-policy", f'"{name}";q={limit};w={WINDOW_SECONDS}'.encode())
            for name, limit in self._limits.items()
        }
        self._window = RateWindow()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self._app(scope, receive, send)
            return
        name, key = _caller(scope)
        usage = self._window.hit(key, self._limits[name])
        rate = f'"{name}";r={usage.remaining};t={usage.reset_seconds}'.encode()
        added = [self._policies[name], (b"ratelimit", rate)]

        async def send_with_rate(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        if usage.allowed:
            await self._app(scope, receive, send_with_rate)
        else:
            refusal = problem_response(Request(scope), _too_many(usage, self._limits[name]))
            await refusal(scope, receive, send_with_rate)


def _caller(scope: Scope) -> tuple[str, str]:
    """Return the policy and the key; a token that is not good counts as none."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                verifier: TokenVerifier = scope["app"].state.verifier
                try:
                    return "client", f"client {verifier.verify(token.strip()).client_id}"
                except (UnauthenticatedError, OSError):
                    break
    address = scope["client"][0] if scope["client"] else ""
    return "anonymous", f"address {address_key(address)}"


def _too_many(usage: Usage, limit: int) -> TooManyError:
    return TooManyError(
        "rate_limited",
        f"More than {limit} requests in a minute; wait {usage.reset_seconds} seconds."
        " Callers with a token may ask more.",
        f"Quá {limit} yêu cầu trong một phút; hãy chờ {usage.reset_seconds} giây."
        " Có mã truy cập thì được gọi nhiều hơn.",
        headers={"Retry-After": str(usage.reset_seconds)},
    )
