"""Broken events of every kind: out of the way at once, kept, and tried again."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from pydantic import BaseModel
from sqlalchemy import update

from events.scene import SPEC, TYPE, Read, Tables, record, until
from shared.contracts.events import Event
from shared.kernel.ids import new_id
from shared.nats import Bus
from shared.outbox import Relay, Transactions, UnitOfWork


class Shape(BaseModel):
    text: str


async def _strict(work: UnitOfWork, events: Sequence[Event]) -> None:
    for event in events:
        Shape.model_validate_json(event.data)
    await record(work, events)


async def _say(bus: Bus, headers: dict[str, str] | None, data: bytes) -> None:
    js = await bus.jetstream()
    await js.publish(f"{TYPE}.{uuid4()}", data, headers=headers)


def _headers(**changed: str | None) -> dict[str, str]:
    event_id = str(new_id())
    headers = {
        "Nats-Msg-Id": event_id,
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": TYPE,
        "ce-source": "ketnoi/test",
        "ce-subject": str(uuid4()),
        "ce-time": "2026-05-01T00:00:00Z",
        "ce-aggregateversion": "1",
    }
    named = {f"ce-{name}": value for name, value in changed.items()}
    return {name: value for name, value in (headers | named).items() if value is not None}


BROKEN: dict[str, tuple[dict[str, str] | None, bytes]] = {
    "bad JSON": (_headers(), b'{"text": "S'),
    "wrong schema": (_headers(), b'{"text": 7}'),
    "not even text": (_headers(), b"\xff\xfe\x00"),
    "future major": (_headers(specversion="2.0"), b'{"text": "ok"}'),
    "missing header": (_headers(aggregateversion=None), b'{"text": "ok"}'),
    "time without zone": (_headers(time="2026-05-01T00:00:00"), b'{"text": "ok"}'),
    "version out of range": (_headers(aggregateversion="99999999999"), b'{"text": "ok"}'),
    "no headers": (None, b'{"text": "ok"}'),
}


async def test_one_in_a_thousand_is_broken_and_nobody_waits(
    tables: Tables,
    relay: Relay,
    bus: Bus,
    read: Read,
    transactions: Transactions,
) -> None:
    reading = read(_strict)
    good: list[Event] = []
    for headers, data in BROKEN.values():
        good += await tables.publish(1000)
        while await relay.drain_once():
            pass
        await _say(bus, headers, data)
    good += await tables.publish(10)
    while await relay.drain_once():
        pass
    ids = {str(event.id) for event in good}

    async def all_good_seen() -> bool:
        return ids <= set(await tables.effects())

    await until(all_good_seen)  # with the first failures still waiting for their second attempt

    async def all_kept() -> bool:
        return len(await tables.letters()) == len(BROKEN)

    await until(all_kept)
    reading.stop.set()
    assert set(await tables.states()) == {"OPEN", "RETRYING"}
    await reading.end()

    # The cause is gone: a reader that minds nothing. What is no event of ours stays.
    read(record)
    await _redrive(transactions)

    async def settled() -> bool:
        return "REDRIVE" not in await tables.states()

    await until(settled)
    redriven = {row.message_id for row in await tables.letters() if row.state == "REDRIVEN"}

    async def over() -> bool:
        found = {row.message_id for row in await tables.letters() if row.state == "REDRIVEN"}
        return found == {_id_of("bad JSON"), _id_of("wrong schema")}

    await until(over)
    assert redriven <= set(await tables.effects())
    assert all("input_value" not in row.error for row in await tables.letters())


def _id_of(kind: str) -> str:
    headers = BROKEN[kind][0]
    assert headers
    return headers["ce-id"]


async def _redrive(transactions: Transactions) -> None:
    """What `ketnoi dlq redrive --all` does to the rows."""
    table = transactions.tables.dead_letter
    async with transactions.database.begin() as connection:
        await connection.execute(update(table).values(state="REDRIVE", next_attempt_at=None))


async def test_more_broken_events_than_may_be_in_hand_block_nothing(
    tables: Tables, relay: Relay, read: Read, transactions: Transactions
) -> None:
    """Each waits a second and longer for its next attempt; the broker must not hold them."""
    broken = await tables.publish(100)
    good = await tables.publish(50)
    poison = {event.id for event in broken}

    async def handler(work: UnitOfWork, events: Sequence[Event]) -> None:
        if any(event.id in poison for event in events):
            raise ValueError("cannot digest this")
        await record(work, events)

    reading = read(handler)
    await relay.drain_once()

    async def all_good_seen() -> bool:
        return {str(event.id) for event in good} <= set(await tables.effects())

    await until(all_good_seen)

    async def all_kept() -> bool:
        return len(await tables.letters()) == 100

    await until(all_kept)
    poison.clear()
    await _redrive(transactions)

    async def all_seen() -> bool:
        return {str(event.id) for event in broken} <= set(await tables.effects())

    await until(all_seen)
    await reading.end()
    effects = await tables.effects()
    assert len(effects) == len(set(effects))


async def test_an_outage_is_waited_out_and_not_counted(
    tables: Tables, relay: Relay, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.consumer.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("shared.outbox.consumer.MAX_PAUSE_SECONDS", 0.001)
    calls = 0

    async def handler(work: UnitOfWork, events: Sequence[Event]) -> None:
        nonlocal calls
        calls += 1
        if calls < 200:  # half an hour of five seconds each, about
            raise ConnectionError("the database is away")
        await record(work, events)

    reading = read(handler)
    events = await tables.publish(3)
    await relay.drain_once()

    async def seen() -> bool:
        return {str(event.id) for event in events} <= set(await tables.effects())

    await until(seen)
    await reading.end()
    assert await tables.letters() == []
    assert calls >= 200


async def test_an_event_that_ends_its_reader_is_tried_alone_and_then_waits_for_a_person(
    tables: Tables, relay: Relay, bus: Bus, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies acknowledges nothing: the whole batch is handed out again and again."""
    monkeypatch.setattr("shared.outbox.dead_letters.RETRY_SECONDS", (0.01,) * 4)
    events = await tables.publish(3)
    await relay.drain_once()
    js = await bus.jetstream()
    subscription = await js.pull_subscribe_bind(consumer=SPEC.name, stream=SPEC.stream)
    ours = {str(event.id) for event in events}
    for _ in range(5):
        seen: set[str] = set()
        while not ours <= seen:
            for message in await subscription.fetch(64, timeout=5):
                seen.add((message.headers or {}).get("ce-id", ""))
                if (message.headers or {}).get("ce-id") in ours:
                    await message.nak()
                else:
                    await message.ack()
    await subscription.unsubscribe()
    tried: list[int] = []
    beside: list[int] = []

    async def handler(work: UnitOfWork, batch: Sequence[Event]) -> None:
        if any(str(event.id) in ours for event in batch):
            tried.append(len(batch))
        if any(event.id == events[1].id for event in batch):
            last = str(events[2].id)
            beside.extend(
                letter.attempts for letter in await tables.letters() if letter.message_id == last
            )
            raise SystemError("the process ends here")
        await record(work, batch)

    read(handler)

    async def one_is_left() -> bool:
        return [row.message_id for row in await tables.letters() if row.attempts == 5] == [
            str(events[1].id)
        ] and len(await tables.letters()) == 1

    await until(one_is_left)
    assert {str(events[0].id), str(events[2].id)} <= set(await tables.effects())
    assert set(tried) == {1}
    assert beside[0] == 0, "a letter that only waits is not to blame"


async def test_no_attempt_is_counted_before_its_reader_is_warm(
    tables: Tables,
    relay: Relay,
    read: Read,
    transactions: Transactions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who is killed again and again while it warms up has tried nothing."""
    monkeypatch.setattr("shared.outbox.consumer.FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("shared.outbox.consumer.MAX_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr("shared.outbox.dead_letters.RETRY_SECONDS", (0.01,) * 4)
    (event,) = await tables.publish(1)
    attempts: list[int] = []
    handled = 0

    async def cold(*, thoroughly: bool = False) -> None:
        if thoroughly:
            attempts.extend(letter.attempts for letter in await tables.letters())
            if len(attempts) < 20:
                raise ConnectionError("not yet")

    async def handler(work: UnitOfWork, events: Sequence[Event]) -> None:
        nonlocal handled
        handled += 1
        if handled == 1:
            raise ValueError("broken at first")
        await record(work, events)

    monkeypatch.setattr(transactions, "warm_up", cold)
    read(handler)
    await relay.drain_once()

    async def done() -> bool:
        return str(event.id) in await tables.effects()

    await until(done)
    assert attempts == [1] * 20


async def test_a_discarded_event_that_comes_again_stays_discarded(
    tables: Tables, relay: Relay, bus: Bus, read: Read, transactions: Transactions
) -> None:
    headers, data = _headers(aggregateversion="none"), json.dumps({"text": "ok"}).encode()
    read(record)
    await _say(bus, headers, data)

    async def kept() -> bool:
        return await tables.states() == ["OPEN"]

    await until(kept)
    table = transactions.tables.dead_letter
    async with transactions.database.begin() as connection:
        await connection.execute(update(table).values(state="DISCARDED"))
    before: Any = (await tables.letters())[0].last_seen_at
    await _say(bus, headers | {"Nats-Msg-Id": str(uuid4())}, data)

    async def came_again() -> bool:
        return bool((await tables.letters())[0].last_seen_at > before)

    await until(came_again)
    assert await tables.states() == ["DISCARDED"]
