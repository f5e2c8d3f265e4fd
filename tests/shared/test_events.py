from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.contracts.events import Event, MalformedEventError

EVENT = Event(
    id=uuid4(),
    type="demand.request.published.v1",
    source="ketnoi/svc-demand",
    aggregate_id=uuid4(),
    aggregate_version=3,
    time=datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC),
    data=b"{}",
    correlation_id="abc",
)


def test_an_event_survives_its_headers() -> None:
    assert Event.from_message(EVENT.headers(), b"{}") == replace(EVENT, causation_id=None)


def test_the_message_id_is_the_event_id_and_the_subject_ends_with_the_aggregate() -> None:
    assert EVENT.headers()["Nats-Msg-Id"] == str(EVENT.id)
    assert EVENT.subject == f"demand.request.published.v1.{EVENT.aggregate_id}"


def test_the_lines_of_the_protocol_say_what_the_headers_say() -> None:
    later = replace(EVENT, id=uuid4(), aggregate_id=uuid4(), traceparent="00-1", correlation_id="")
    for event in (EVENT, replace(EVENT, id=uuid4()), replace(EVENT, aggregate_version=4), later):
        lines = event.header_lines().removesuffix("\r\n").split("\r\n")
        assert dict(line.split(": ", 1) for line in lines) == event.headers()


@pytest.mark.parametrize("missing", ["ce-id", "ce-type", "ce-subject", "ce-aggregateversion"])
def test_a_message_without_an_attribute_is_malformed(missing: str) -> None:
    headers = {name: value for name, value in EVENT.headers().items() if name != missing}
    with pytest.raises(MalformedEventError):
        Event.from_message(headers, b"{}")


def test_a_message_without_headers_is_malformed() -> None:
    with pytest.raises(MalformedEventError):
        Event.from_message(None, b"")
