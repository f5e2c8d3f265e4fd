"""The consumer acknowledges first and makes the effect afterwards."""

from typing import Any

from shared.outbox import consumer

_settle = consumer.Consumer._settle


async def _settle_late(self: consumer.Consumer, readable: Any, deliveries: Any) -> None:
    await self.pull.ack(delivery for delivery, _ in readable)
    await self._bus.flush()
    await _settle(self, readable, deliveries)


consumer.Consumer._settle = _settle_late
