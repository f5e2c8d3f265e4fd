"""Who may say what to NATS: one user per service, with no more than its duties need.

Both forms of acknowledgement subject are allowed: servers are moving from the first to the
second, and one without the other means endless redelivery.
"""

import json
from collections.abc import Mapping

from ketnoi.credentials import ADMIN
from ketnoi.services import Service
from shared.contracts.messaging import CONSUMERS, STREAMS


def permissions(user: str) -> dict[str, dict[str, list[str]]]:
    """Return what `user` may publish and subscribe to, from the table of streams and consumers."""
    own = [spec for spec in STREAMS if spec.service == user]
    read = [spec for spec in CONSUMERS if spec.service == user]
    publish = [subject for spec in own for subject in spec.subjects]
    for spec in read:
        place = f"{spec.stream}.{spec.name}"
        publish += [
            f"$JS.API.CONSUMER.MSG.NEXT.{place}",
            f"$JS.API.CONSUMER.INFO.{place}",
            f"$JS.ACK.{place}.>",
            f"$JS.ACK.*.*.{place}.>",
        ]
    streams = dict.fromkeys([spec.name for spec in own] + [spec.stream for spec in read])
    publish += [f"$JS.API.STREAM.INFO.{stream}" for stream in streams]
    return {
        "publish": {"allow": publish} if publish else {"deny": [">"]},
        "subscribe": {"allow": [f"_INBOX_{user}.>"]},
    }


def users_block(services: tuple[Service, ...], passwords: Mapping[str, str]) -> str:
    """Return the `users` of the account APP in the server's own notation (JSON is part of it).

    An administrator of an existing server includes it in that account.
    """
    users: list[dict[str, object]] = [{"user": ADMIN, "password": passwords[ADMIN]}]
    users += [
        {
            "user": service.role,
            "password": passwords[service.role],
            "permissions": permissions(service.role),
        }
        for service in services
        if service.messaging
    ]
    return f"users: {json.dumps(users, indent=2)}\n"
