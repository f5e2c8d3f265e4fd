"""NATS JetStream behind one wrapper; no other module of Ketnoi talks to nats-py."""

from shared.nats.bus import Bus, MissingError, PublishError, Stored
from shared.nats.objects import ConsumerState, StreamState
from shared.nats.pull import Delivery, PullConsumer

__all__ = [
    "Bus",
    "ConsumerState",
    "Delivery",
    "MissingError",
    "PublishError",
    "PullConsumer",
    "Stored",
    "StreamState",
]
