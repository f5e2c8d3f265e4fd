"""What provisioning makes, what it allows, and that it may run as often as one likes."""

import asyncio
import base64
import os
import subprocess
import sys

import asyncpg
import nats
import pytest

from ketnoi.provisioning.roles import provision_roles, scram_verifier
from ketnoi.provisioning.streams import provision_streams
from ketnoi.services import SERVICES
from shared.contracts.messaging import CONSUMERS, STREAMS


def plain(url):
    return url.replace("postgresql+asyncpg:", "postgresql:")


@pytest.fixture
async def owned_table(bare):
    """A table in svc-demand's schema, made as migrations make theirs."""
    admin = await asyncpg.connect(bare.admin_database_url, database="ketnoi")
    await admin.execute("SET ROLE demand_owner")
    await admin.execute("CREATE TABLE IF NOT EXISTS demand.thing (id serial, word text)")
    yield "demand.thing"
    await admin.execute("DROP TABLE demand.thing")
    await admin.close()


async def test_service_uses_its_tables_and_does_nothing_else(bare, owned_table):
    demand = await asyncpg.connect(plain(bare.database_url("svc-demand")))
    await demand.execute("INSERT INTO thing (word) VALUES ('a')")
    await demand.execute("UPDATE thing SET word = 'b'")
    assert await demand.fetchval("SELECT word FROM thing") == "b"
    await demand.execute("DELETE FROM thing")
    assert await demand.fetchval("SHOW statement_timeout") == "15s"
    assert await demand.fetchval("SHOW idle_in_transaction_session_timeout") == "15s"
    for forbidden in (
        "CREATE TABLE demand.other (id int)",
        "CREATE TABLE public.other (id int)",
        "CREATE TEMP TABLE other (id int)",
        "CREATE SCHEMA other",
        "DROP TABLE thing",
        "TRUNCATE thing",
        "SET ROLE demand_owner",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await demand.execute(forbidden)
    await demand.close()


async def test_service_reaches_no_other_schema_or_database(bare, owned_table):
    supply = await asyncpg.connect(plain(bare.database_url("svc-supply")))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await supply.execute("SELECT * FROM demand.thing")
    await supply.close()
    for database in ("postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(plain(bare.database_url("svc-supply")), database=database)


async def test_wrong_password_is_refused(bare):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(plain(bare.database_url("svc-demand")), password="guess")


async def test_provisioning_again_changes_nothing(bare, owned_table):
    await provision_roles(bare.admin_database_url, SERVICES, bare.passwords, own_server=True)
    await provision_streams(bare.nats_admin_url)
    demand = await asyncpg.connect(plain(bare.database_url("svc-demand")))
    assert await demand.fetch("SELECT * FROM thing") == []
    await demand.close()


async def test_stored_password_is_what_postgres_would_store(bare):
    admin = await asyncpg.connect(bare.admin_database_url)
    await admin.execute("CREATE ROLE stored PASSWORD 'pass word'")
    stored = await admin.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'stored'")
    await admin.execute("DROP ROLE stored")
    await admin.close()
    salt = base64.b64decode(stored.split("$")[1].split(":")[1])
    assert scram_verifier("pass word", salt) == stored


async def test_streams_and_consumers_are_those_of_the_table(bare):
    client = await nats.connect(bare.nats_admin_url)
    jetstream = client.jetstream()
    for spec in STREAMS:
        config = (await jetstream.stream_info(spec.name)).config
        assert config.subjects == list(spec.subjects)
        assert (config.discard, config.storage, config.retention) == ("new", "file", "limits")
        assert (config.allow_atomic, config.deny_delete, config.deny_purge) == (True, True, True)
        assert config.max_age == spec.max_age_seconds
        assert config.duplicate_window == spec.duplicate_window_seconds
    for spec in CONSUMERS:
        config = (await jetstream.consumer_info(spec.stream, spec.name)).config
        assert (config.ack_wait, config.max_ack_pending) == (
            spec.ack_wait_seconds,
            spec.max_ack_pending,
        )
        assert (config.max_deliver, config.ack_policy) == (-1, "explicit")
    await client.close()


async def test_changed_stream_is_put_right_and_keeps_its_messages(bare):
    client = await nats.connect(bare.nats_admin_url)
    jetstream = client.jetstream()
    config = (await jetstream.stream_info("REPORTING")).config
    await jetstream.publish("reporting.kept", b"1")
    await jetstream.update_stream(config, max_age=3600)
    await provision_streams(bare.nats_admin_url)
    info = await jetstream.stream_info("REPORTING")
    assert info.config.max_age == STREAMS[-1].max_age_seconds
    assert info.state.messages >= 1
    await client.close()


async def as_user(bare, service):
    denied = []

    async def on_error(error):
        denied.append(str(error))

    user = service.replace("-", "_")
    client = await nats.connect(
        bare.nats_url(service), error_cb=on_error, inbox_prefix=f"_INBOX_{user}"
    )
    return client, denied


async def test_nats_user_publishes_its_own_facts_and_reads_its_own_consumers(bare):
    demand, demand_denied = await as_user(bare, "svc-demand")
    matching, matching_denied = await as_user(bare, "svc-matching")
    ack = await demand.jetstream().publish("demand.request.published.v1.x", b"{}", stream="DEMAND")
    assert ack.stream == "DEMAND"
    subscription = await matching.jetstream().pull_subscribe_bind(
        consumer="matching-demand", stream="DEMAND"
    )
    (message, *_) = await subscription.fetch(1, timeout=5)
    await message.ack_sync()
    info = await matching.jetstream().consumer_info("DEMAND", "matching-demand")
    assert info.ack_floor.stream_seq == message.metadata.sequence.stream
    assert (await matching.jetstream().stream_info("DEMAND")).config.name == "DEMAND"
    assert demand_denied == matching_denied == []
    await demand.close()
    await matching.close()


async def told(denied, times):
    async with asyncio.timeout(5):
        while len(denied) < times:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "subject",
    [
        "supply.offer.published.v1.x",
        "$JS.API.STREAM.DELETE.DEMAND",
        "$JS.API.STREAM.PURGE.DEMAND",
        "$JS.API.STREAM.CREATE.OTHER",
        "$JS.API.CONSUMER.MSG.NEXT.DEMAND.matching-demand",
        "$JS.API.CONSUMER.CREATE.DEMAND",
    ],
)
async def test_nats_user_may_not_do_what_is_others_work(bare, subject):
    client, denied = await as_user(bare, "svc-demand")
    await client.publish(subject, b"{}")
    await told(denied, 1)
    assert "permissions violation" in denied[0].lower()
    await client.close()


async def test_nats_user_hears_only_its_own_inbox(bare):
    client, denied = await as_user(bare, "svc-reporting")
    for subject in (">", "_INBOX_svc_demand.>", "demand.>"):
        await client.subscribe(subject)
    await told(denied, 3)
    await client.close()


def provision_command(tmp_path, **variables):
    return subprocess.run(
        [sys.executable, "-c", "from ketnoi.cli import app; app()", "provision"],
        env=os.environ | {"KETNOI_HOME": str(tmp_path / "home")} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_provision_command_needs_both_addresses(tmp_path):
    done = provision_command(tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("ketnoi: Set DATABASE_URL and NATS_URL")


async def test_launcher_on_existing_servers(launch, bare, home_of_bare):
    launched = await launch(DATABASE_URL=bare.admin_database_url, NATS_URL=bare.nats_admin_url)
    await launched.ready()
    names = {process.name() for process in launched.family()}
    assert not names & {"postgres", "nats-server"}
    environment = (await launched.who("svc-demand"))["environment"]
    assert environment["KETNOI_DATABASE_URL"] == bare.database_url("svc-demand")
    assert environment["KETNOI_NATS_URL"] == bare.nats_url("svc-demand")
    assert not {"DATABASE_URL", "NATS_URL"} & environment.keys()
