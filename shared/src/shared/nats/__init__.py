"""NATS JetStream behind one wrapper; no other module of Ketnoi talks to nats-py."""

from shared.nats.bus import Bus, PublishError
from shared.nats.pull import Delivery, PullConsumer

__all__ = ["Bus", "Delivery", "PublishError", "PullConsumer"]
