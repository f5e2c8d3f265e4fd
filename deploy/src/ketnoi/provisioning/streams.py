"""Streams and consumers in JetStream, made to agree with the table in `shared.contracts`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import BadRequestError

from ketnoi.errors import LauncherError, UsageError
from shared.contracts.messaging import CONSUMERS, STREAMS, ConsumerSpec, StreamSpec
from shared.nats.objects import consumer_config, stream_config

MINIMUM = (2, 12)
_NAME_IN_USE = 10058  # with another configuration


async def provision_streams(admin_url: str) -> None:
    """Make or update every stream and consumer; what they hold stays."""
    async with administrator(admin_url) as client:
        jetstream = client.jetstream(timeout=5)
        try:
            await asyncio.gather(*(_stream(jetstream, spec) for spec in STREAMS))
            await asyncio.gather(*(_consumer(jetstream, spec) for spec in CONSUMERS))
        except NatsError as error:
            raise LauncherError(
                f"NATS refused to make the streams: {error}. The user of NATS_URL needs all rights"
                " in an account with JetStream enabled and about 10 GB of file store."
            ) from error


@asynccontextmanager
async def administrator(url: str) -> AsyncIterator[Client]:
    """Connect once, without retries; refuse a server that is too old."""
    try:
        client = await nats.connect(
            url,
            connect_timeout=5,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            error_cb=_quietly,
            name="ketnoi-admin",
        )
    except (NatsError, OSError, TimeoutError) as error:
        raise UsageError(
            f"Cannot reach the nats-server of NATS_URL: {error or type(error).__name__}."
            " Check the address, the user and the password."
        ) from error
    try:
        require_version(client)
        yield client
    finally:
        await client.close()


async def require_user(url: str, user: str, users_file: str) -> None:
    """Check that an existing server knows a service's own user."""
    try:
        async with administrator(url):
            pass
    except UsageError as error:
        raise UsageError(
            f"The nats-server of NATS_URL does not let the user {user} in. Include {users_file}"
            " in the account of NATS_URL (it holds the users, their passwords and what each may"
            " do), reload the server, and start again."
        ) from error


def require_version(client: Client) -> None:
    """Refuse a server without atomic batches."""
    version = client.connected_server_version
    if (version.major, version.minor) < MINIMUM:
        raise UsageError(
            f"NATS_URL is nats-server {version.major}.{version.minor}.{version.patch};"
            f" {'.'.join(map(str, MINIMUM))} or newer is needed."
            " Upgrade it, or leave NATS_URL unset to use the embedded one."
        )


async def _quietly(_: Exception) -> None:
    """Errors come back to the caller as well; the library would log them twice."""


async def _stream(jetstream: JetStreamContext, spec: StreamSpec) -> None:
    config = stream_config(spec)
    try:
        await jetstream.add_stream(config)
    except BadRequestError as error:
        if error.err_code != _NAME_IN_USE:
            raise
        # How many replicas a cluster keeps is its operator's choice.
        replicas = (await jetstream.stream_info(spec.name)).config.num_replicas
        await jetstream.update_stream(config, num_replicas=replicas)


async def _consumer(jetstream: JetStreamContext, spec: ConsumerSpec) -> None:
    await jetstream.add_consumer(spec.stream, consumer_config(spec))
