"""The gateway on a real port, before stand-ins of the four services on real ports."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from gateway.domain.paths import Part
from gateway.main import create_app
from gateway.settings import Settings
from ketnoi.local import LocalServers, embedded_servers
from ketnoi.provisioning.provision import migrate
from ketnoi.services import GATEWAY

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Foreign:
    """A service as the gateway sees it: an address that answers by path."""

    routes: dict[str, Handler] = field(default_factory=dict)
    seen: list[tuple[web.Request, bytes]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request, await request.read()))
        handler = self.routes.get(request.path) or self.routes.get("*")
        if handler is None:
            return _problem(404, "not_found")
        return await handler(request)

    def answers(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Give the same document whenever `path` is asked for; `*` is every other path."""

        async def answer(_: web.Request) -> web.Response:
            return web.json_response(body, status=status, headers=headers)

        self.routes[path] = answer

    def refuses(self, path: str, status: int, code: str) -> None:
        async def answer(_: web.Request) -> web.Response:
            return _problem(status, code)

        self.routes[path] = answer

    @property
    def paths(self) -> list[str]:
        return [request.path for request, _ in self.seen]

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[None]:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self.answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        try:
            yield
        finally:
            await runner.cleanup()


def _problem(status: int, code: str) -> web.Response:
    body = {"status": status, "code": code, "detail": "…"}
    return web.json_response(body, status=status, content_type="application/problem+json")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve on a free port as production does; yields the address."""
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts, as for a host and port.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http="httptools", log_config=None, access_log=False)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.005)
            if task.done():
                task.result()
        try:
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            await task


@dataclass
class House:
    """The gateway and what stands behind it."""

    client: httpx.AsyncClient
    demand: Foreign
    supply: Foreign
    matching: Foreign
    reporting: Foreign
    app: FastAPI

    @property
    def services(self) -> tuple[Foreign, ...]:
        return self.demand, self.supply, self.matching, self.reporting

    @property
    def url(self) -> str:
        return str(self.client.base_url)


@pytest.fixture(scope="session")
def signing_key_path(tmp_path_factory: pytest.TempPathFactory, signing_key: OKPKey) -> Path:
    path = tmp_path_factory.mktemp("signing") / "signing.jwk"
    path.write_text(json.dumps(signing_key.as_dict(private=True)))
    return path


Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def open_house(jwks_path: Path, signing_key_path: Path) -> Open:
    """Return a context manager: `async with open_house(down=["matching"], **settings)`."""

    @asynccontextmanager
    async def open_(down: tuple[str, ...] = (), **changes: Any) -> AsyncIterator[House]:
        parts = {str(part): Foreign() for part in Part}
        async with contextlib.AsyncExitStack() as stack:
            for name, foreign in parts.items():
                if name in down:
                    foreign.url = f"http://127.0.0.1:{unused_port()}"
                else:
                    await stack.enter_async_context(foreign.listening())
            given: dict[str, Any] = {
                "jwks_path": jwks_path,
                "signing_key_path": signing_key_path,
                **{f"{name}_url": foreign.url for name, foreign in parts.items()},
                **changes,
            }
            app = create_app(Settings(**given))
            url = await stack.enter_async_context(served(app))
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
            yield House(client=client, app=app, **parts)

    return open_


@pytest.fixture
async def house(open_house: Open) -> AsyncIterator[House]:
    """One with everything up and the default settings."""
    async with open_house() as opened:
        yield opened


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
async def gateway_servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LocalServers]:
    """A Postgres with the gateway's schema and no other service's."""
    directory = tmp_path_factory.mktemp("gateway")
    async with embedded_servers(directory, migrations=False, streams=False) as running:
        await migrate(running.admin_database_url, [GATEWAY])
        yield running


@pytest.fixture(scope="session")
def database_url(gateway_servers: LocalServers) -> SecretStr:
    return SecretStr(gateway_servers.database_url("gateway"))
