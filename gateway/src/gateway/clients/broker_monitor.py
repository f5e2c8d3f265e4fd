"""nats-server's word on its own health: a full disk shows there, and nowhere else as clearly."""

import aiohttp

from shared.kernel.health import Check

SECONDS = 0.6
_OK = 200
_FULL = ("write error", "no space left", "insufficient resources")
"""A stream that could not be written stays frozen until the server is restarted."""


class BrokerMonitor:
    """Asks the monitoring port. Events wait in the outboxes meanwhile, so it never fails us."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/healthz"

    async def check(self) -> Check:
        limit = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, trust_env=False) as session,
                session.get(self._url) as response,
            ):
                said = (await response.text())[:300]
        except TimeoutError:
            return Check("warn", "broker_silent", output=f"no answer within {SECONDS:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Check("warn", "broker_away", output=f"{type(error).__name__}: {error}"[:200])
        if response.status == _OK:
            return Check("pass")
        full = any(sign in said for sign in _FULL)
        return Check("warn", "broker_disk_full" if full else "broker_unwell", output=said)
