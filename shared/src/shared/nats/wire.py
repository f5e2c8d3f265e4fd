"""Messages as bytes of the NATS protocol.

nats-py checks and encodes each message on its own, which costs more than all else on the way of
an event. What is sent here was made by us, so it goes out as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.contracts.events import Event

IN_PROGRESS = b"+WPI"
TERMINATE = b"+TERM"


def publish_block(events: Sequence[Event], batch: Mapping[str, str]) -> Iterator[bytes]:
    """Yield each event as the HPUB command of its place in an atomic batch."""
    common = "".join(f"{name}: {value}\r\n" for name, value in batch.items())
    for number, event in enumerate(events, start=1):
        own = event.header_lines()
        headers = f"NATS/1.0\r\n{own}{common}Nats-Batch-Sequence: {number}\r\n\r\n".encode()
        size = len(headers) + len(event.data)
        command = f"HPUB {event.subject} {len(headers)} {size}\r\n".encode()
        yield b"".join((command, headers, event.data, b"\r\n"))


def answer_block(replies: Iterable[str], body: bytes = b"") -> bytes:
    """Return the same short answer to many messages; an empty one acknowledges."""
    tail = b" %d\r\n%b\r\n" % (len(body), body)
    return b"".join([b"PUB " + reply.encode() + tail for reply in replies])
