"""Wires the gateway: its own routes, what passes through, limits, documentation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from gateway.api import docs, health, imports, oauth, overview
from gateway.api.pass_through import PassThroughMiddleware
from gateway.api.rates import RateLimitMiddleware
from gateway.clients.broker_monitor import BrokerMonitor
from gateway.clients.upstreams import open_upstreams
from gateway.domain.paths import Part
from gateway.settings import Settings
from gateway.storage.signing_key import TokenSigner
from gateway.usecases.health import SuiteHealth
from gateway.usecases.tokens import TokenDesk
from shared.db import Database
from shared.http.app import build_app
from shared.http.disk_health import DiskHealth
from shared.http.health import Health, in_background, repeated
from shared.http.middleware import BodyLimitMiddleware, TelemetryMiddleware
from shared.http.service_health import database_health
from shared.telemetry import configure_logging

DESCRIPTION = (
    "Nền tảng mở kết nối cung cầu công nghệ. Mọi dịch vụ của Ketnoi sau một địa chỉ.\n\n"
    "The open platform for technology demand–supply matchmaking: all of Ketnoi behind one address."
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the app; without settings it reads the environment. Nothing is opened yet."""
    settings = settings or Settings.load()
    database = Database(
        settings.database_url.get_secret_value() or "postgresql+asyncpg://",
        pool_size=settings.database_pool_size,
        name="gateway",
    )

    own_health = Health("gateway")
    database_health(own_health, database, "gateway")
    if settings.data_path is not None:
        disk = DiskHealth(settings.data_path)
        own_health.add("disk", disk.check)
        own_health.collect(disk.collect)
    if settings.nats_monitor_url:
        own_health.add("nats", BrokerMonitor(settings.nats_monitor_url).check)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging("gateway", settings.log_level)
        app.state.openapi_document = docs.load_document()
        app.state.tokens = TokenDesk(
            database, TokenSigner(settings.signing_key_path), settings.token_seconds
        )
        async with open_upstreams(
            {
                Part.DEMAND: settings.demand_url,
                Part.SUPPLY: settings.supply_url,
                Part.MATCHING: settings.matching_url,
                Part.REPORTING: settings.reporting_url,
            },
            slots=settings.upstream_slots,
            queue=settings.upstream_queue,
            connect_seconds=settings.connect_seconds,
            seconds=settings.upstream_seconds,
            part_seconds=settings.part_seconds,
        ) as upstreams:
            app.state.upstreams = upstreams
            suite = app.state.suite_health = SuiteHealth(own_health, upstreams)
            async with in_background(repeated(suite.document)):
                yield
        await database.close()

    app = build_app(
        title="Ketnoi",
        description=DESCRIPTION,
        version="0.1.0",
        settings=settings,
        routers=[oauth.router, overview.router, imports.router, health.router, docs.router],
        health=own_health,
        lifespan=lifespan,
        around=[
            Middleware(TelemetryMiddleware),
            Middleware(
                RateLimitMiddleware,
                anonymous=settings.anonymous_per_minute,
                known=settings.known_per_minute,
            ),
            Middleware(BodyLimitMiddleware),
            Middleware(PassThroughMiddleware),
        ],
    )
    docs.install_docs(app)
    return app
