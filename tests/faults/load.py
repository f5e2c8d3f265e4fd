"""Clients that write and read while faults happen; a call without an answer is an unknown."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx

from faults.history import Call, History, canary

UNSETTLED = frozenset({401, 408, 425, 429, 500, 502, 503, 504})
"""Answers after which the same request is sent again."""
OWNERS = ("operator", "enterprise", "provider")
READERS = ("exchange", "reader", "intermediary", "provider", "enterprise", None)
_WORDS = ("sấy chè", "bơm nhiệt", "lọc nước", "ép dầu", "chiếu xạ", "đóng gói")


class Load:
    """Steady work of several kinds; each kind is a coroutine that runs until stopped.

    `pause` is each worker's rest between two operations.
    """

    def __init__(
        self,
        url: str,
        secret_of: Callable[[str], tuple[str, str]],
        history: History,
        *,
        pause: float = 0.05,
        tag: str = "load",
        seconds: float = 5,
        seed: int = 1,
        tokens: dict[str, str] | None = None,
    ) -> None:
        self.history = history
        self.tag = tag
        self.demands: dict[str, int] = {}
        """Demands that were acknowledged, with the version."""
        self.supplies: dict[str, int] = {}
        self.private: list[str] = []
        """Paths of things that are nobody's business but their owner's."""
        self.offered: str | None = None
        self._secret_of = secret_of
        self._pause = pause
        self._dice = random.Random(seed)
        self._numbers = itertools.count(1)
        self._tokens = {} if tokens is None else tokens
        self._stop = asyncio.Event()
        self._http = httpx.AsyncClient(
            base_url=url, timeout=seconds, limits=httpx.Limits(max_connections=64)
        )

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def running(self, *, publishers: int = 3, others: bool = True) -> AsyncIterator["Load"]:
        """Run the workers; on exit each ends the operation it is in."""
        kinds = [self._publisher] * publishers
        if others:
            kinds += [self._supplier, self._patcher, self.race, self._poster, self._reader]
        workers = [asyncio.create_task(self._repeat(kind)) for kind in kinds]
        try:
            yield self
        finally:
            self._stop.set()
            await asyncio.gather(*workers)
            self._stop.clear()

    async def _repeat(self, kind: Callable[[], Any]) -> None:
        while not self._stop.is_set():
            await kind()
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._stop.wait(), self._pause * self._dice.uniform(0.5, 1.5)
                )

    # --- kinds of work -----------------------------------------------------------------------

    async def publish(self, ref: str | None = None, *, private: bool = False) -> Call:
        """Publish a demand, or a new version of one, by its reference."""
        number = next(self._numbers)
        ref = ref or f"{self.tag}-{number}"
        marker = f"mk{self.tag}{number}"
        text = self._text(marker)
        body = {**text, "kind": "APPLICATION", "province": "01", "status": "PUBLISHED"}
        if private:
            body |= {"visibility": "PRIVATE"}
            body["description"] += " " + canary("operator", number)
        call, found = await self._insist(
            "operator", "PUT", f"/v1/demands/by-ref/{self.tag}/{ref}", marker, json=body
        )
        if call.acknowledged:
            self.demands[found["id"]] = found["version"]
            if private:
                self.private.append(f"/v1/demands/{found['id']}")
        return call

    async def supply(self) -> Call:
        """Publish a supply."""
        number = next(self._numbers)
        marker = f"mk{self.tag}{number}"
        body = {**self._text(marker), "kind": "EQUIPMENT", "status": "PUBLISHED", "trl": 8}
        path = f"/v1/supplies/by-ref/{self.tag}/{number}"
        call, found = await self._insist("operator", "PUT", path, marker, json=body)
        if call.acknowledged:
            self.supplies[found["id"]] = found["version"]
        return call

    async def post(self, client: str = "enterprise", repeated: Call | None = None) -> Call:
        """Create a draft with an Idempotency-Key, or send again what has been sent.

        Only its owner and the operator may see it.
        """
        number = int(repeated.key.rpartition("-")[2]) if repeated else next(self._numbers)
        marker = f"mk{self.tag}{number}"
        body = self._text(marker, random.Random(number))
        body |= {"province": "01", "kind": "APPLICATION"}
        body["description"] += " " + canary(client, number)
        headers = {"Idempotency-Key": f"key-{self.tag}-{number}"}
        call, found = await self._insist(
            client, "POST", "/v1/demands", marker, json=body, headers=headers
        )
        if call.acknowledged:
            self.private.append(f"/v1/demands/{found['id']}")
        return call

    async def offer(self) -> None:
        """Let the provider have a published supply of its own, whose matches it may read."""
        body = self._text("offer") | {"kind": "EQUIPMENT", "trl": 8}
        path = f"/v1/supplies/by-ref/{self.tag}/offer"
        _, found = await self._insist("provider", "PUT", path, None, json=body)
        self.offered = found["id"]
        for client, target in (
            ("provider", "SUBMITTED"),
            ("operator", "UNDER_VALIDATION"),
            ("operator", "PUBLISHED"),
        ):
            call, found = await self._insist(
                client,
                "POST",
                f"/v1/supplies/{self.offered}/transitions",
                None,
                json={"to": target},
                headers={"If-Match": f'"{found["version"]}"'},
            )
            assert call.acknowledged, found

    async def _publisher(self) -> None:
        known = self._dice.random() < 0.3
        ref = f"{self.tag}-again-{self._dice.randrange(20)}" if known else None
        await self.publish(ref, private=self._dice.random() < 0.2)

    async def _supplier(self) -> None:
        if self.supplies and self._dice.random() < 0.3:
            supply_id = self._dice.choice(list(self.supplies))
            version = self.supplies.pop(supply_id)
            await self._insist(
                "operator",
                "POST",
                f"/v1/supplies/{supply_id}/transitions",
                None,
                json={"to": "WITHDRAWN", "reason": "hết hàng"},
                headers={"If-Match": f'"{version}"'},
            )
        else:
            await self.supply()

    async def _patcher(self) -> None:
        """Change a demand with If-Match and a key, so that a repeat gives the first's answer."""
        if self.demands:
            demand_id = self._dice.choice(list(self.demands))
            await self.patch(demand_id, self.demands[demand_id], key=f"patch-{next(self._numbers)}")

    async def patch(self, demand_id: str, version: int, key: str | None = None) -> Call:
        marker = f"mk{self.tag}{next(self._numbers)}"
        headers = {"If-Match": f'"{version}"'} | ({"Idempotency-Key": key} if key else {})
        call, found = await self._insist(
            "operator",
            "PATCH",
            f"/v1/demands/{demand_id}",
            marker,
            json={"title": f"Sửa {marker}"},
            headers=headers,
        )
        if call.acknowledged:
            self.demands[demand_id] = found["version"]
        elif call.status == 412:
            with suppress(httpx.TransportError, KeyError):
                await self._refresh(demand_id)
        return call

    async def race(self) -> None:
        """Several change the same version at once: one may win."""
        if self.demands:
            demand_id = self._dice.choice(list(self.demands))
            version = self.demands[demand_id]
            await asyncio.gather(*(self.patch(demand_id, version) for _ in range(3)))

    async def _poster(self) -> None:
        await self.post()

    async def _reader(self) -> None:
        """Look at everything as somebody who must not see everything."""
        client = self._dice.choice(READERS)
        paths = ["/v1/demands?limit=100", "/v1/supplies?limit=100", "/v1/reporting/dashboard"]
        paths += self._dice.sample(self.private, min(3, len(self.private)))
        for demand_id in self._dice.sample(list(self.demands), min(2, len(self.demands))):
            paths += [f"/v1/demands/{demand_id}/{tail}" for tail in ("overview", "matches")]
        if self.offered:
            paths.append(f"/v1/supplies/{self.offered}/matches?limit=100")
        await asyncio.gather(*(self.read(client, path) for path in paths))

    async def upload(self, kind: str, name: str, content: bytes) -> dict[str, Any]:
        """Start an import; return the job. A repeat with the same key is the same job."""
        key = {"Idempotency-Key": f"upload-{self.tag}-{next(self._numbers)}"}
        for pause in _pauses():
            with suppress(httpx.TransportError):
                answer = await self._http.post(
                    "/v1/imports",
                    data={"kind": kind},
                    files={"file": (name, content)},
                    headers=key | await self._authorization("operator"),
                )
                if answer.is_success:
                    return answer.json()
            await asyncio.sleep(pause)
        raise AssertionError("the upload was never acknowledged")

    async def read(self, client: str | None, path: str) -> tuple[Call, Any]:
        headers = await self._authorization(client) if client else {}
        return await self.history.call(
            self._http,
            client or "nobody",
            "GET",
            path,
            operation=f"read-{next(self._numbers)}",
            headers=headers,
        )

    async def _refresh(self, demand_id: str) -> None:
        _, found = await self.read("operator", f"/v1/demands/{demand_id}")
        if found and "version" in found:
            self.demands[demand_id] = found["version"]

    # --- how it is sent ----------------------------------------------------------------------

    def _text(self, marker: str, dice: random.Random | None = None) -> dict[str, Any]:
        words = " ".join((dice or self._dice).sample(_WORDS, 3))
        return {
            "title": f"Máy {words} {marker}",
            "description": f"Cần thiết bị {words}",
            "language": "vi",
        }

    async def _insist(
        self,
        client: str,
        method: str,
        path: str,
        marker: str | None,
        *,
        json: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> tuple[Call, Any]:
        """Send the same request until it is settled, or until the load has been stopped long."""
        operation = f"{self.tag}-{next(self._numbers)}"
        for pause in _pauses():
            call, found = await self.history.call(
                self._http,
                client,
                method,
                path,
                operation=operation,
                marker=marker,
                json=json,
                headers=(headers or {}) | await self._authorization(client),
            )
            again = call.status in UNSETTLED or call.code == "source_ref_taken"
            if call.status is not None and not again:
                return call, found
            if call.status == 401:
                self._tokens.pop(client, None)
            await asyncio.sleep(pause)
        return call, found

    async def _authorization(self, client: str) -> dict[str, str]:
        for pause in _pauses():
            if client in self._tokens:
                break
            with suppress(httpx.TransportError):
                answer = await self._http.post(
                    "/oauth/token",
                    data={"grant_type": "client_credentials"},
                    auth=self._secret_of(client),
                )
                if answer.is_success:
                    self._tokens[client] = answer.json()["access_token"]
                    break
            await asyncio.sleep(pause)
        return {"Authorization": f"Bearer {self._tokens.get(client, '')}"}


def _pauses(tries: int = 160) -> Iterator[float]:
    """Rests between attempts: soon at first, then half a second; over a minute in all."""
    for number in range(tries):
        yield min(0.05 * (number + 1), 0.5)
