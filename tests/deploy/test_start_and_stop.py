"""`ketnoi run` from the first line to the last process."""

import json
import os
import signal
import stat

import asyncpg
import psutil
import pytest

pytestmark = pytest.mark.timeout(120)


async def test_start_ends_with_one_line_and_second_start_finds_its_data(launch):
    first = await launch()
    ready = await first.ready()
    assert ready == f"ready {first.state['url']} (docs: /docs)"
    admin = await _administrator(first)
    await admin.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
    await admin.close()
    clients = (first.home / "dev-clients.json").read_text()
    assert await first.stop() == 0
    assert [line for line in first.lines if line.startswith("ready ")] == [ready]
    assert not (first.home / "run" / "state.json").exists()

    second = await launch()
    await second.ready()
    admin = await _administrator(second)
    assert await admin.fetchval("SELECT id FROM kept") == 7
    await admin.close()
    assert (second.home / "dev-clients.json").read_text() == clients


async def _administrator(launched) -> asyncpg.Connection:
    credentials = json.loads((launched.home / "credentials.json").read_text())
    return await asyncpg.connect(
        host="127.0.0.1",
        port=launched.state["ports"]["postgres"],
        user="postgres",
        password=credentials["postgres"]["admin"],
        database="ketnoi",
    )


async def test_every_process_has_its_lines_prefixed_and_logged(launch):
    launched = await launch()
    await launched.ready()
    await launched.stop()
    for name in ("postgres", "nats", "svc-demand", "svc-matching", "gateway"):
        assert any(line.startswith(f"{name:<13} | ") for line in launched.lines), name
        assert (launched.home / "logs" / f"{name}.log").read_text()


async def test_services_get_their_own_settings_and_no_others(launch):
    common = {
        "KETNOI_LISTEN_HOST",
        "KETNOI_LISTEN_PORT",
        "KETNOI_DATABASE_URL",
        "KETNOI_JWKS_PATH",
        "KETNOI_CURSOR_KEY",
        "KETNOI_LOG_LEVEL",
    }
    launched = await launch(KETNOI_LOG_LEVEL="warning", OTHER="kept")
    await launched.ready()

    async def given(name):
        environment = (await launched.who(name))["environment"]
        assert environment["OTHER"] == "kept"
        return {key: value for key, value in environment.items() if key.startswith("KETNOI_")}

    demand, matching, gateway = [
        await given(name) for name in ("svc-demand", "svc-matching", "gateway")
    ]
    assert demand.keys() == common | {"KETNOI_NATS_URL"}
    assert matching.keys() == common | {"KETNOI_NATS_URL", "KETNOI_SNAPSHOT_FOLDER"}
    assert gateway.keys() == common | {
        "KETNOI_SIGNING_KEY_PATH",
        "KETNOI_DATA_PATH",
        "KETNOI_NATS_MONITOR_URL",
        "KETNOI_DEMAND_URL",
        "KETNOI_SUPPLY_URL",
        "KETNOI_MATCHING_URL",
        "KETNOI_REPORTING_URL",
    }
    assert demand["KETNOI_DATABASE_URL"].startswith("postgresql+asyncpg://svc_demand:")
    assert demand["KETNOI_NATS_URL"].startswith("nats://svc_demand:")
    assert gateway["KETNOI_DEMAND_URL"].endswith(demand["KETNOI_LISTEN_PORT"])
    assert demand["KETNOI_LOG_LEVEL"] == "WARNING"


async def test_secrets_are_readable_by_their_owner_only(launch):
    launched = await launch()
    await launched.ready()
    names = ("credentials.json", "dev-clients.json", "keys/signing.jwk", "run/nats.conf")
    for name in names:
        assert stat.S_IMODE((launched.home / name).stat().st_mode) == 0o600, name
    public = json.loads((launched.home / "keys" / "jwks.json").read_text())["keys"]
    signing = json.loads((launched.home / "keys" / "signing.jwk").read_text())
    assert [key["kid"] for key in public] == [signing["kid"]]
    assert "d" in signing
    assert all("d" not in key for key in public)


async def test_killed_launcher_leaves_no_orphan_and_loses_nothing(launch, left):
    launched = await launch()
    await launched.ready()
    family = launched.family()
    names = {process.name() for process in family}
    assert {"postgres", "nats-server", "svc-demand", "gateway"} <= names
    launched.process.send_signal(signal.SIGKILL)
    await launched.ended()
    assert await left(family) == []
    again = await launch()
    await again.ready()


@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGHUP])
async def test_signal_stops_everything_in_reverse_order(launch, left, what):
    launched = await launch()
    await launched.ready()
    family = launched.family()
    assert await launched.stop(what) == 0
    assert await left(family) == []
    assert "Traceback" not in launched.said
    assert "database system is shut down" in launched.said


async def test_signal_during_the_start_stops_cleanly(launch, left):
    launched = await launch()
    await launched.until("postgres ")
    family = launched.family()
    assert await launched.stop() == 0
    assert await left(family) == []
    assert "Traceback" not in launched.said


async def test_killed_processes_are_started_again(launch):
    launched = await launch()
    await launched.ready()
    for name in ("svc-demand", "gateway", "nats", "postgres"):
        before = launched.state["processes"][name]
        os.kill(before, signal.SIGKILL)
        await launched.until(f"{name} was ended by SIGKILL; starting again in 0.2 s")
        await launched.until(f"{name} is ready again")
        assert not psutil.pid_exists(before)
        assert psutil.pid_exists(launched.state["processes"][name])
    os.kill(launched.state["processes"]["forkhost"], signal.SIGKILL)
    for _ in range(6):  # the host and the five services that it had forked
        await launched.until("is ready again")
    assert (await launched.who("svc-supply"))["pid"]
    assert await launched.stop() == 0


async def test_service_that_cannot_start_is_named_with_its_last_words(launch, left):
    launched = await launch(STAND_IN_FAILS="svc-supply")
    await launched.until("starting again in 0.4 s")
    family = launched.family()
    assert await launched.ended() == 1
    assert "ketnoi: svc-supply ended with exit code 1 before it was ready." in launched.said
    assert launched.lines[-1] == "stand-in: told to fail"
    assert "Traceback" not in launched.said
    assert await left(family) == []
