"""`ketnoi provision`: prepare existing servers, without starting anything."""

import asyncio

from ketnoi.clients import load_clients
from ketnoi.credentials import load_credentials
from ketnoi.environment import Environment
from ketnoi.errors import UsageError
from ketnoi.home import Home, write_private
from ketnoi.provisioning.plan import Plan
from ketnoi.provisioning.provision import provision
from ketnoi.servers.nats_users import users_block
from ketnoi.services import SERVICES


def provision_existing(environment: Environment) -> None:
    """Both addresses are needed: embedded servers are set up by `ketnoi run`."""
    if not (environment.database_url and environment.nats_url):
        raise UsageError(
            "Set DATABASE_URL and NATS_URL to the administrator's addresses of the servers"
            " to set up. `ketnoi run` without them sets up its own."
        )
    home = Home(environment.home)
    home.prepare()
    credentials = load_credentials(home)
    users_file = home.run / "nats-users.conf"
    write_private(users_file, users_block(SERVICES, credentials.nats))
    plan = Plan(
        database_url=environment.database_url,
        nats_url=environment.nats_url,
        passwords=credentials.postgres,
        nats_passwords=credentials.nats,
        services=SERVICES,
        clients=load_clients(home),
        nats_users_file=str(users_file),
    )
    asyncio.run(provision(plan))
