"""What a forked process of the cluster runs: first the sabotage, if any, then the service.

Run by path inside the child (`runpy`), with CALL (`package.module:function`, or the path of a
file with a `main`), ARGUMENTS, and SABOTAGE, a list of files. ACK_WAIT are the seconds after which
the broker hands a message out again: fewer than in the product, for impatient tests.
"""

import importlib
import runpy
from collections.abc import Callable
from typing import Any

from shared.contracts.messaging import CONSUMERS
from shared.outbox import consumer

CALL: str
ARGUMENTS: list[Any]
SABOTAGE: list[str]
ACK_WAIT: int


def _found(call: str) -> Callable[..., None]:
    if call.endswith(".py"):
        return runpy.run_path(call)["main"]
    module, _, name = call.partition(":")
    return getattr(importlib.import_module(module), name)


for spec in CONSUMERS:
    object.__setattr__(spec, "ack_wait_seconds", globals()["ACK_WAIT"])
consumer.HEARTBEAT_SECONDS = globals()["ACK_WAIT"] / 3
for file in globals()["SABOTAGE"]:
    runpy.run_path(file)
_found(globals()["CALL"])(*globals()["ARGUMENTS"])
