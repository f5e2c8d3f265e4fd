"""One caller's questions to the services, for answers that combine several of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.clients.guard import unavailable
from gateway.clients.upstream import Answer
from gateway.clients.upstreams import Upstreams
from gateway.domain.paths import Part

SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Parts:
    """The services, asked with the caller's own token; each question has `seconds`."""

    upstreams: Upstreams
    headers: Mapping[str, str]
    seconds: float

    async def ask(
        self,
        part: Part,
        path: str,
        *,
        query: str = "",
        method: str = "GET",
        content: bytes | None = None,
    ) -> Answer:
        """Return the answer, refusals included; UnavailableError when the part cannot answer."""
        answer = await self.upstreams[part].ask(
            method, path, self.headers, self.seconds, query=query, content=content
        )
        if answer.status >= SERVER_ERROR:
            raise unavailable(part)
        return answer


def json_answer(body: Mapping[str, Any], status: int = 200) -> Answer:
    """Return an answer of the gateway's own."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, content, {"content-type": "application/json"})
