"""A service that is down, slow or failing costs its callers little and the others nothing."""

import asyncio
import re
import time

import pytest
from aiohttp import web

from gateway.clients.guard import Guard
from gateway.domain.breaker import FAILURES, Breaker, BreakerOpenError
from gateway.domain.paths import Part
from shared.kernel.errors import UnavailableError

DEMAND = "/v1/demands/0191e2a4-0000-7000-8000-000000000001"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_service_that_is_down_is_named_in_a_503(open_house) -> None:
    async with open_house(down=("demand",)) as house:
        for language, word in (("en", "does not answer"), ("vi", "không trả lời")):
            response = await house.client.get(DEMAND, headers={"Accept-Language": language})
            assert response.status_code == 503
            assert response.headers["content-type"] == "application/problem+json"
            assert int(response.headers["retry-after"]) >= 1
            assert response.json()["code"] == "service_unavailable"
            assert response.json()["part"] == "demand"
            assert word in response.json()["detail"]
        house.supply.answers("*", {})
        assert (await house.client.get("/v1/supplies")).status_code == 200


async def test_a_slow_service_is_given_up_in_time(open_house) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with open_house(upstream_seconds=0.3) as house:
        house.demand.routes["*"] = never
        started = time.monotonic()
        response = await house.client.post("/v1/demands", json={})
        assert response.status_code == 504
        assert response.json()["code"] == "upstream_timeout"
        assert 0.25 < time.monotonic() - started < 1
        assert len(house.demand.seen) == 1, "what may have been done is not repeated"


async def test_a_caller_in_a_hurry_is_answered_in_its_own_time(open_house) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with open_house() as house:
        house.demand.routes["*"] = never
        response = await house.client.get(DEMAND, headers={"X-Request-Deadline-Ms": "200"})
        assert response.status_code == 504
        given = int(house.demand.seen[0][0].headers["X-Request-Deadline-Ms"])
        assert 100 < given < 200, "less than the caller gives: the way back takes time, too"


async def test_a_caller_in_a_hurry_cannot_make_a_service_look_broken(open_house) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.json_response({})

    async with open_house() as house:
        house.demand.routes["*"] = slow
        for _ in range(FAILURES + 1):
            hurried = await house.client.get(DEMAND, headers={"X-Request-Deadline-Ms": "1"})
            assert hurried.status_code == 504
        assert (await house.client.get(DEMAND)).status_code == 200, "the others are served"


async def test_a_service_that_says_it_ran_out_of_time_counts_as_slow(open_house) -> None:
    async with open_house() as house:
        house.demand.refuses("*", 504, "deadline_exceeded")
        for _ in range(FAILURES):
            response = await house.client.get(DEMAND)
            assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
        assert house.app.state.upstreams[Part.DEMAND].guard.breaker.state == "open"
        assert (await house.client.get(DEMAND)).status_code == 503


async def test_a_full_bulkhead_says_when_to_come_again_and_others_are_served(open_house) -> None:
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.json_response({})

    async with open_house(upstream_slots=1, upstream_queue=1) as house:
        house.demand.routes["*"] = wait
        house.supply.answers("*", {})
        first = [asyncio.create_task(house.client.get(DEMAND)) for _ in range(2)]
        guard = house.app.state.upstreams[Part.DEMAND].guard
        while guard.inside < 2:
            await asyncio.sleep(0.01)
        refused = await house.client.get(DEMAND)
        assert refused.status_code == 503
        assert (refused.json()["code"], refused.json()["part"]) == ("service_busy", "demand")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await house.client.get("/v1/supplies")).status_code == 200
        metrics = (await house.client.get("/metrics")).text
        assert 'ketnoi_upstream_in_flight{upstream="demand"} 2.0' in metrics
        assert 'ketnoi_upstream_failures_total{kind="full",upstream="demand"}' in metrics
        release.set()
        assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]


async def test_repeats_never_become_the_load(open_house) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with open_house() as house:
        house.demand.routes["*"] = cut
        guard = house.app.state.upstreams[Part.DEMAND].guard
        guard.breaker = Breaker(Clock())
        guard.breaker.failed = lambda **_: None
        for _ in range(100):
            assert (await house.client.get(DEMAND)).status_code == 503
        repeats = len(house.demand.seen) - 100
        assert 10 <= repeats <= 20, "a burst of ten, then one in ten"


async def test_a_read_is_repeated_once_and_a_write_never(open_house) -> None:
    async def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with open_house() as house:
        house.demand.routes["*"] = cut
        await house.client.get(DEMAND)
        assert len(house.demand.seen) == 2
        await house.client.post("/v1/demands", json={})
        assert len(house.demand.seen) == 3


async def test_an_open_breaker_is_seen_on_the_health_page_and_in_the_metrics(open_house) -> None:
    async with open_house(down=("demand",)) as house:
        for _ in range(FAILURES):
            await house.client.get(DEMAND)
        health = (await house.client.get("/healthz")).json()
        assert health["checks"]["upstreams"][0]["code"] == "breaker_open"
        assert health["checks"]["upstreams"][0]["output"] == "demand"
        assert health["services"]["svc-demand"]["breaker"] in ("open", "half-open")
        down = next(entry for entry in health["broken"] if entry["code"] == "service_down")
        assert (down["parts"], down["check"]) == (["svc-demand"], "process")
        metrics = (await house.client.get("/metrics")).text
        assert re.search(r'ketnoi_breaker_state\{upstream="demand"\} [12]', metrics)
        assert 'ketnoi_breaker_state{upstream="supply"} 0.0' in metrics


async def test_one_slow_service_does_not_hold_up_the_health_of_all(open_house) -> None:
    release = asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        await release.wait()
        return web.json_response({"status": "pass"})

    async with open_house() as house:
        house.demand.routes["/healthz"] = wait
        house.supply.answers("/healthz", {"status": "pass"})
        house.reporting.answers("/healthz", ["not", "a", "document"])
        async with asyncio.timeout(5):
            health = (await house.client.get("/healthz")).json()
        release.set()
        codes = {
            name: document["checks"]["process"][0]["code"]
            for name, document in health["services"].items()
            if "checks" in document
        }
        assert codes["svc-demand"] == "service_silent"
        assert codes["svc-reporting"] == "service_unreadable"
        assert list(health["services"])[-1] == "svc-supply", "what is well comes last"


async def test_a_write_that_was_cut_off_is_repeated_only_with_its_key(open_house) -> None:
    async def cut(request: web.Request) -> web.Response:
        if len(house.demand.seen) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({}, status=201)

    async with open_house() as house:
        house.demand.routes["*"] = cut
        response = await house.client.post("/v1/demands", json={})
        assert response.status_code == 503
        assert len(house.demand.seen) == 1
    async with open_house() as house:
        house.demand.routes["*"] = cut
        response = await house.client.post("/v1/demands", json={}, headers={"Idempotency-Key": "1"})
        assert response.status_code == 201
        assert len(house.demand.seen) == 2


async def test_the_breaker_stops_calls_to_a_dead_service_and_finds_it_again(open_house) -> None:
    async with open_house(down=("demand",)) as house:
        breaker = house.app.state.upstreams[Part.DEMAND].guard.breaker
        clock = breaker._now = Clock()
        for _ in range(FAILURES):
            assert (await house.client.get(DEMAND)).status_code == 503
        assert breaker.state == "open"
        port = int(house.demand.url.rpartition(":")[2])
        async with house.demand.listening(port):
            house.demand.answers("*", {})
            assert (await house.client.get(DEMAND)).status_code == 503, "not even asked"
            assert house.demand.seen == []
            clock.now += 1.1
            assert breaker.state == "half-open"
            assert (await house.client.get(DEMAND)).status_code == 200
            assert breaker.state == "closed"


def test_a_breaker_opens_at_half_of_the_last_twenty_calls() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES):
        breaker.succeeded(probe=False)
        assert breaker.state == "closed"
        breaker.failed(probe=False)
    assert breaker.state == "open"
    with pytest.raises(BreakerOpenError) as refused:
        breaker.admit()
    assert refused.value.seconds == 1


def test_failures_of_long_ago_do_not_open_a_breaker() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed(probe=False)
    clock.now += 31
    breaker.failed(probe=False)
    assert breaker.state == "closed"


def test_a_half_open_breaker_lets_one_call_decide() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.failed(probe=False)
    pauses = []
    for _ in range(5):
        while breaker.state == "open":
            clock.now += 0.5
        opened = clock.now
        assert breaker.admit() is True
        with pytest.raises(BreakerOpenError):
            breaker.admit()
        breaker.succeeded(probe=False)
        assert breaker.state == "half-open", "late news of an old call decides nothing"
        breaker.failed(probe=True)
        while breaker.state == "open":
            clock.now += 0.5
        pauses.append(clock.now - opened)
    assert pauses == [2, 4, 8, 10, 10]
    assert breaker.admit() is True
    breaker.abandoned(probe=True)
    assert breaker.admit() is True
    breaker.succeeded(probe=True)
    assert breaker.state == "closed"


async def test_a_full_bulkhead_refuses_at_once_and_frees_its_room() -> None:
    guard = Guard(Part.DEMAND, slots=1, queue=1)
    release = asyncio.Event()

    async def call() -> int:
        await release.wait()
        return 1

    calls = [asyncio.create_task(guard.run(call, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await guard.run(call, 5)
    release.set()
    assert await asyncio.gather(*calls) == [1, 1]
    assert await guard.run(call, 5) == 1


async def test_a_caller_who_leaves_does_not_count_as_a_failure() -> None:
    guard = Guard(Part.DEMAND, slots=1, queue=1)
    for _ in range(FAILURES + 1):
        task = asyncio.create_task(guard.run(asyncio.Event().wait, 5))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert guard.breaker.state == "closed"
