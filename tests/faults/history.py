"""What the clients did and were told: the ground on which the checker judges.

One entry a call, repeated calls included. The judgement never asks the product what it did.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import httpx

CANARY = re.compile(rb"canary[a-z]+\d+")
"""A word that marks a private text: `canary`, who may see it, a number."""
PROBLEM = "application/problem+json"


def canary(client: str, number: int) -> str:
    """Return a word for a text that only `client` and the operator may ever see."""
    return f"canary{re.sub('[^a-z]', '', client)}{number}"


@dataclass(slots=True, kw_only=True)
class Call:
    """One attempt. `status` None: nothing is known of what the other side did.

    `operation` is the same for every attempt of one intention; `marker` is a word that only the
    content of this operation holds.
    """

    operation: str
    client: str
    method: str
    path: str
    sent_at: float
    ended_at: float = 0.0
    key: str | None = None
    if_match: int | None = None
    marker: str | None = None
    status: int | None = None
    error: str | None = None
    problem: bool = False
    code: str | None = None
    id: str | None = None
    version: int | None = None
    body: str | None = None
    partial: bool | None = None
    canaries: list[str] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def kind(self) -> str:
        """The resource, e.g. `demands`."""
        return self.path.split("?", 1)[0].strip("/").split("/")[1]


class History:
    """Every call, in memory and as JSON lines."""

    def __init__(self, file: Path) -> None:
        self.calls: list[Call] = []
        self.file = file
        self._out: TextIO = file.open("w", encoding="utf-8")

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self.calls)

    def close(self) -> None:
        self._out.close()

    def flush(self) -> None:
        self._out.flush()

    def record(self, call: Call) -> None:
        self.calls.append(call)
        self._out.write(json.dumps(asdict(call), ensure_ascii=False) + "\n")

    @property
    def acknowledged(self) -> list[Call]:
        """Writes that were confirmed."""
        return [call for call in self.calls if call.is_write and call.acknowledged]

    async def call(
        self,
        http: httpx.AsyncClient,
        client: str,
        method: str,
        path: str,
        *,
        operation: str,
        marker: str | None = None,
        json: Any = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> tuple[Call, Any]:
        """Send one request, note all of it, and return the note with the parsed answer."""
        headers = headers or {}
        if_match = headers.get("If-Match", "").strip('"')
        call = Call(
            operation=operation,
            client=client,
            method=method,
            path=path,
            sent_at=time.time(),
            key=headers.get("Idempotency-Key"),
            if_match=int(if_match) if if_match else None,
            marker=marker,
        )
        found: Any = None
        try:
            answer = await http.request(method, path, json=json, headers=headers, **more)
        except httpx.TransportError as error:
            call.error = type(error).__name__
        else:
            found = self._read(call, answer)
        call.ended_at = time.time()
        self.record(call)
        return call, found

    @staticmethod
    def _read(call: Call, answer: httpx.Response) -> Any:
        call.status = answer.status_code
        call.problem = answer.headers.get("content-type", "").startswith(PROBLEM)
        call.body = hashlib.sha256(answer.content).hexdigest()[:16]
        raw = answer.content
        call.canaries = sorted({found.decode() for found in CANARY.findall(raw.lower())})
        try:
            found = answer.json()
        except ValueError:
            call.error = "unreadable"
            return None
        if isinstance(found, dict):
            call.code = found.get("code")
            call.id, call.version = found.get("id"), found.get("version")
            call.partial = found.get("partial")
        return found
