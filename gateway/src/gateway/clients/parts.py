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

    async def ask(self, part: Part, path: str, *, query: str = "") -> Answer:
        """Return the answer, refusals included; UnavailableError when the part cannot answer."""
        upstream = self.upstreams[part]
        answer = await upstream.ask(path, self.headers, self.seconds, query=query)
        if answer.status >= SERVER_ERROR:
            raise unavailable(part)
        return answer

    async def hand_over(self, part: Part, path: str, body: bytes) -> Answer:
        """Post a body as it came; the part's answer is the answer."""
        upstream = self.upstreams[part]
        reply = await upstream.send("POST", path.encode(), self.headers, body, self.seconds)
        content = reply.content
        if reply.rest is not None:
            async with reply.rest:
                content += await reply.rest.content.read()
        headers = {name.decode(): value.decode("latin-1") for name, value in reply.headers}
        return Answer(reply.status, content, headers)


def json_answer(body: Mapping[str, Any], status: int = 200) -> Answer:
    """Return an answer of the gateway's own."""
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, content, {"content-type": "application/json"})
