"""Faults of a real suite, each recognised by somebody who reads nothing but `/healthz`.

Every fault has a diagnosis of its own: part, code, since when, and what to do in two languages.
"""

import asyncio
import json
import resource
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import nats
import pytest
from nats.js import JetStreamContext

from ketnoi.provisioning.streams import provision_streams

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def now() -> datetime:
    return datetime.now(UTC)


def in_database(patient, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(patient.admin_database_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def in_jetstream(patient, work: Callable[[JetStreamContext], Awaitable[Any]]) -> None:
    async def run() -> None:
        client = await nats.connect(patient.admin_nats_url)
        try:
            await work(client.jetstream())
        finally:
            await client.close()

    asyncio.run(run())


def change_nats_user(patient, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the users' file as an administrator might, and let the server read it again."""
    file = patient.suite.home / "run" / "nats-users.conf"
    users = json.loads(file.read_text().partition(":")[2])
    change(next(user for user in users if user["user"] == name))
    file.write_text(f"users: {json.dumps(users)}\n")
    patient.signal("nats", signal.SIGHUP)


def restore_nats_users(patient, original: str) -> None:
    (patient.suite.home / "run" / "nats-users.conf").write_text(original)
    patient.signal("nats", signal.SIGHUP)


def users_file(patient) -> str:
    return (patient.suite.home / "run" / "nats-users.conf").read_text()


def test_a_dead_service(patient) -> None:
    began = now()
    with patient.stopped("forkhost"):  # else it would be started again at once
        patient.signal("svc-reporting", signal.SIGKILL)
        found = patient.diagnosed("service_down", "svc-reporting", began)
        assert found["parts"] == ["svc-reporting"]
        page = patient.page()
        assert page["status"] == "fail"
        said = [service["status"] for service in page["services"].values()]
        assert page["services"]["svc-reporting"]["status"] == "fail"
        assert said == sorted(said, key=["fail", "warn", "pass"].index), "the worst comes first"


def test_a_service_that_hangs(patient) -> None:
    began = now()
    with patient.stopped("svc-supply"):
        found = patient.diagnosed("service_silent", "svc-supply", began)
        assert found["check"] == "process"


def test_a_dead_broker(patient) -> None:
    began = now()
    with patient.stopped("launcher"):
        patient.signal("nats", signal.SIGKILL)
        found = patient.diagnosed("broker_away", "svc-demand", began)
        assert found["status"] == "warn", "what is read and written goes on"
        assert patient.publish_demands(1) == [201]


def test_a_dead_database(patient) -> None:
    began = now()
    with patient.stopped("launcher"):
        patient.signal("postgres", signal.SIGKILL)
        found = patient.diagnosed("database_unreachable", "gateway", began)
        assert found["status"] == "fail"
        checks = patient.page()["services"]["svc-demand"]["checks"]
        assert checks["outbox"][0]["code"] == "not_checked", "the cause stands out"


def test_a_wrong_database_password(patient) -> None:
    began = now()
    right = patient.credentials["postgres"]["svc_reporting"]
    in_database(
        patient,
        "ALTER ROLE svc_reporting PASSWORD 'somebody else set this'",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'svc_reporting'",
    )
    try:
        found = patient.diagnosed("database_wrong_password", "svc-reporting", began)
        assert found["parts"] == ["svc-reporting"]
        assert right not in json.dumps(patient.page())
    finally:
        in_database(patient, f"ALTER ROLE svc_reporting PASSWORD '{right}'")


def test_a_database_that_takes_no_more(patient) -> None:
    """The server refuses with the code of a full disk; only a write shows that."""
    began = now()
    in_database(
        patient,
        "CREATE FUNCTION demand.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER no_room BEFORE INSERT ON demand.demand EXECUTE FUNCTION demand.no_room()",
    )
    try:
        assert patient.publish_demands(1) == [503]
        found = patient.diagnosed("database_disk_full", "svc-demand", began)
        assert "53100" in found["output"]
    finally:
        in_database(patient, "DROP FUNCTION demand.no_room CASCADE")


def test_a_wrong_broker_password(patient) -> None:
    began, original = now(), users_file(patient)
    change_nats_user(patient, "svc_supply", lambda user: user.update(password="another"))
    try:
        found = patient.diagnosed("broker_wrong_password", "svc-supply", began)
        assert found["parts"] == ["svc-supply"]
    finally:
        restore_nats_users(patient, original)


def test_a_revoked_permission(patient) -> None:
    began, original = now(), users_file(patient)
    nothing = {"publish": {"deny": [">"]}, "subscribe": {"allow": ["_INBOX_svc_supply.>"]}}
    change_nats_user(patient, "svc_supply", lambda user: user.update(permissions=nothing))
    try:
        found = patient.diagnosed("broker_no_rights", "svc-supply", began)
        assert "stream.info.supply" in found["output"].lower(), "the subject is named"
    finally:
        restore_nats_users(patient, original)


def test_a_full_disk(patient) -> None:
    """JetStream's volume is full; where none can be mounted, the server may not write any more."""
    began = now()
    if patient.small_volume is None:
        pid = patient.suite.state["processes"]["nats"]
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    else:
        filler = patient.small_volume / "filler"
        with suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(bytes(65_536))
    try:
        assert set(patient.publish_demands(3)) == {201}, "events wait in the outbox"
        found = patient.diagnosed("broker_disk_full", "gateway", began)
        assert "write error" in found["output"]
        if patient.small_volume is not None:
            assert str(patient.small_volume) in patient.diagnosed("disk_full", "gateway")["output"]
    finally:
        if patient.small_volume is not None:
            filler.unlink()
        patient.signal("nats", signal.SIGKILL)  # as the page says: it does not recover by itself


def test_a_deleted_consumer(patient) -> None:
    began = now()
    in_jetstream(patient, lambda js: js.delete_consumer("DEMAND", "reporting-demand"))
    try:
        found = patient.diagnosed("messaging_missing", "svc-reporting", began)
        assert "reporting-demand" in found["output"]
    finally:
        asyncio.run(provision_streams(patient.admin_nats_url))


def test_a_full_stream(patient) -> None:
    async def narrow(js: JetStreamContext) -> None:
        config = (await js.stream_info("DEMAND")).config
        await js.update_stream(config, max_bytes=1)

    began = now()
    in_jetstream(patient, narrow)
    try:
        assert patient.publish_demands(2) == [201, 201]
        found = patient.diagnosed("stream_full", "svc-demand", began)
        assert found["check"] == "nats"
    finally:
        asyncio.run(provision_streams(patient.admin_nats_url))


def test_poison(patient) -> None:
    began = now()
    poison = "demand.request.published.v1.0191e2a4-0000-7000-8000-00000000dead"
    in_jetstream(patient, lambda js: js.publish(poison, b"{not json", stream="DEMAND"))
    try:
        found = patient.diagnosed("dead_letters_open", "svc-matching", began)
        assert "matching-demand: 1" in found["output"]
        assert "ketnoi dlq" in found["what_to_do"]["en"]
    finally:
        patient.diagnosed("dead_letters_open", "svc-reporting")
        # Discarded, not deleted: a broker that loses an acknowledgement hands it out again.
        discard = "UPDATE {}.dead_letter SET state = 'DISCARDED' WHERE subject LIKE '%dead'"
        in_database(patient, discard.format("matching"), discard.format("reporting"))
