"""What the operator may set, and what he is told when it cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ketnoi.credentials import ADMIN, Credentials, Keys, load_credentials
from ketnoi.environment import PASSED_ON, Environment
from ketnoi.errors import UsageError
from ketnoi.home import Home
from ketnoi.service_environment import ServiceEnvironments
from ketnoi.services import MATCHING, SERVICES
from svc_matching.settings import Settings as MatchingSettings


def read(cwd="/srv", **variables):
    return Environment.read(variables, Path(cwd))


def test_defaults():
    environment = read()
    assert environment.home == Path("/srv/.ketnoi")
    assert (environment.host, environment.port) == ("127.0.0.1", 8080)
    assert environment.database_url is None


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"KETNOI_HOEM": "x"}, "Unknown environment variable KETNOI_HOEM: did you mean KETNOI_HO"),
        ({"KETNOI_QQQ": "x"}, "known are KETNOI_HOME, KETNOI_PORT"),
        ({"KETNOI_PORT": "http"}, "KETNOI_PORT must be a number from 0 to 65535, not 'http'"),
        ({"KETNOI_PORT": "65536"}, "KETNOI_PORT must be"),
        ({"KETNOI_PORT": "-1"}, "KETNOI_PORT must be"),
        ({"KETNOI_PORT": "٣"}, "KETNOI_PORT must be"),
        ({"KETNOI_LOG_LEVEL": "loud"}, "KETNOI_LOG_LEVEL must be debug, info"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must begin with postgresql://"),
        ({"NATS_URL": "localhost:4222"}, "NATS_URL must begin with nats://"),
        ({"MILVUS_URL": "candidates.db"}, "MILVUS_URL must begin with http://"),
    ],
)
def test_unusable_values_are_refused(variables, told):
    with pytest.raises(UsageError) as refused:
        read(**variables)
    assert told in str(refused.value)


def test_children_inherit_none_of_our_keys_and_no_administrators_password():
    environment = read(
        KETNOI_PORT="1",
        DATABASE_URL="postgresql://a:b@c/d",
        NATS_URL="nats://a:b@c",
        MILVUS_URL="http://a:b@c:19530",
        PATH="/bin",
    )
    assert environment.inherited == {"PATH": "/bin"}


def test_what_one_service_reads_is_passed_on_to_it_alone(tmp_path):
    environment = read(KETNOI_WEIGHTS_PATH="mine.toml", KETNOI_CAPACITY_PRICES="true")
    environments = ServiceEnvironments(
        environment=environment,
        credentials=load_credentials(Home(tmp_path)),
        keys=Keys(signing=tmp_path / "a", public=tmp_path / "b"),
        ports={service.name: 1 for service in SERVICES},
        database_url="postgresql://admin:x@127.0.0.1:1/ketnoi",
        nats_url="nats://admin:x@127.0.0.1:1",
    )
    ours = {"KETNOI_WEIGHTS_PATH": "/srv/mine.toml", "KETNOI_CAPACITY_PRICES": "true"}
    assert ours.items() <= environments.of(MATCHING).items()
    for service in SERVICES:
        if service is not MATCHING:
            assert ours.keys().isdisjoint(environments.of(service))


def test_only_matching_is_told_of_milvus():
    names = (ADMIN, *(service.role for service in SERVICES))
    environments = ServiceEnvironments(
        environment=read(MILVUS_URL="http://a:b@c:19530"),
        credentials=Credentials(
            postgres=dict.fromkeys(names, "x"), nats=dict.fromkeys(names, "x"), cursor_key="x"
        ),
        keys=Keys(Path("signing"), Path("public")),
        ports={service.name: 1 for service in SERVICES},
        database_url="postgresql://a:b@c/d",
        nats_url="nats://a:b@c",
    )
    told = {
        service.name: {
            name: value for name, value in environments.of(service).items() if "MILVUS" in name
        }
        for service in SERVICES
    }
    assert told.pop(MATCHING.name) == {"KETNOI_MILVUS_URI": "http://a:b@c:19530"}
    assert environments.of(MATCHING)["KETNOI_MATCHING_CANDIDATES"] == "milvus"
    assert not any(told.values())


def test_a_service_finds_its_model_wherever_it_runs_and_no_key_is_shown():
    environment = read(KETNOI_EMBEDDINGS_KEY="secret", KETNOI_EMBEDDINGS_PATH="models/small")
    assert environment.inherited == {}
    assert environment.passed_on == {
        "svc-matching": {
            "KETNOI_EMBEDDINGS_KEY": "secret",
            "KETNOI_EMBEDDINGS_PATH": "/srv/models/small",
        }
    }
    assert "secret" not in repr(environment)


def test_every_setting_of_the_embedder_is_passed_on():
    settings = {f"KETNOI_{name.upper()}" for name in MatchingSettings.model_fields}
    embeddings = {name for name in settings if name.startswith("KETNOI_EMBEDDINGS_")}
    assert embeddings == {
        name for name in PASSED_ON["svc-matching"] if name.startswith("KETNOI_EMBEDDINGS_")
    }


def test_command_line_says_it_with_exit_code_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-c", "from ketnoi.cli import app; app()", "run"]
    done = subprocess.run(
        command,
        env=os.environ | {"KETNOI_HOEM": "x", "KETNOI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ketnoi: Unknown environment variable KETNOI_HOEM")
    assert len(done.stderr.splitlines()) == 1


def test_help_is_light():
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, ketnoi.cli; print(*{'asyncpg', 'nats', 'sqlalchemy'} & set(sys.modules))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == ""
