"""Who asks too much waits; who asks with a token may ask more."""

import re

from gateway.domain.rates import RateWindow, address_key


async def test_callers_are_told_what_is_left_and_refused_beyond_it(
    open_house, authorization
) -> None:
    async with open_house(anonymous_per_minute=3, known_per_minute=5) as house:
        house.demand.answers("*", {})
        for left in (2, 1, 0):
            response = await house.client.get("/v1/demands")
            assert response.headers["ratelimit-policy"] == '"anonymous";q=3;w=60'
            assert re.fullmatch(rf'"anonymous";r={left};t=\d+', response.headers["ratelimit"])
        response = await house.client.get("/v1/demands", headers={"Accept-Language": "en"})
        assert response.status_code == 429
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["code"] == "rate_limited"
        assert 1 <= int(response.headers["retry-after"]) <= 60
        assert response.headers["ratelimit"].startswith('"anonymous";r=0;')
        assert len(house.demand.seen) == 3

        forged = {"Authorization": "Bearer " + "a.b.c"}
        assert (await house.client.get("/v1/demands", headers=forged)).status_code == 429

        known = authorization("dost", province="19")
        response = await house.client.get("/v1/demands", headers=known)
        assert response.headers["ratelimit"].startswith('"client";r=4;')
        other_token_same_client = authorization("dost", province="20")
        response = await house.client.get("/v1/demands", headers=other_token_same_client)
        assert response.headers["ratelimit"].startswith('"client";r=3;')
        response = await house.client.get("/v1/demands", headers=authorization("operator"))
        assert response.headers["ratelimit"].startswith('"client";r=4;')


async def test_health_and_documentation_are_not_limited(open_house) -> None:
    async with open_house(anonymous_per_minute=1) as house:
        for path in ("/livez", "/docs", "/openapi.json"):
            for _ in range(3):
                response = await house.client.get(path)
                assert response.status_code == 200
                assert "ratelimit" not in response.headers


class Clock:
    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        return self.now


def test_a_new_minute_frees_the_caller_gradually() -> None:
    clock = Clock()
    window = RateWindow(clock)
    assert all(window.hit("a", 10).allowed for _ in range(10))
    assert not window.hit("a", 10).allowed
    assert window.hit("b", 10).remaining == 9
    clock.now += 60
    assert not window.hit("a", 10).allowed, "no double share at the border"
    clock.now += 30
    assert [window.hit("a", 10).allowed for _ in range(6)] == [True] * 5 + [False]
    clock.now += 120
    assert window.hit("a", 10).remaining == 9


def test_an_ipv6_subscriber_is_one_caller() -> None:
    assert address_key("2001:db8:1:2:aaaa::1") == address_key("2001:db8:1:2::ffff")
    assert address_key("2001:db8:1:3::1") != address_key("2001:db8:1:2::1")
    assert address_key("fe80::1%eth0") == "fe80::"
    assert address_key("192.0.2.7") == "192.0.2.7"
    assert address_key(":nonsense") == ":nonsense"


def test_the_memory_of_callers_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr("gateway.domain.rates.MAX_KEYS", 3)
    window = RateWindow(Clock())
    for number in range(3):
        window.hit(f"address {number}", 10)
    for _ in range(10):
        assert window.hit("address new", 10).allowed
    assert not window.hit("address newer", 10).allowed, "the rest share one allowance"
    assert window.hit("address 0", 10).allowed
