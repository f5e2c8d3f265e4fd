"""What belongs to one service arrives there, and comes back, byte for byte."""

import asyncio

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

DEMAND = "/v1/demands/0191e2a4-0000-7000-8000-000000000001"


async def test_path_query_and_headers_arrive_as_they_were_sent(house) -> None:
    house.demand.answers("*", {})
    path = "/v1/demands/by-ref/s%C3%A0n%20A/a%2Fb%252F"
    query = "q=s%E1%BA%A5y+ch%C3%A8&province=19&province=20&empty=&x=%26%3D"
    sent = {
        "Authorization": "Bearer not-checked-here",
        "Accept-Language": "en, vi;q=0.5",
        "If-Match": '"3"',
        "Idempotency-Key": "khóa-1".encode(),
        "X-Request-Id": "abc-123",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Cookie": "stays=outside",
        "X-Tenant": "never-trusted",
        "Content-Type": "application/json; charset=utf-8",
    }
    body = '{"title": "Sấy chè"}\n'.encode()
    await house.client.put(f"{path}?{query}", headers=sent, content=body)
    request, received = house.demand.seen[0]
    assert request.raw_path == f"{path}?{query}"
    assert received == body
    for name in ("Authorization", "Accept-Language", "If-Match", "X-Request-Id", "Content-Type"):
        assert request.headers[name] == sent[name]
    assert request.headers["Idempotency-Key"] == "khóa-1"
    assert request.headers["traceparent"] == sent["Traceparent"]
    assert "Cookie" not in request.headers
    assert "X-Tenant" not in request.headers
    assert 0 < int(request.headers["X-Request-Deadline-Ms"]) <= 10_000


async def test_status_body_and_headers_come_back_as_they_were(house) -> None:
    raw = b'{"b": 1,  "a": "\xe1\xba\xa5"}\x00\xff'

    async def answer(_: web.Request) -> web.Response:
        headers = {
            "ETag": '"7"',
            "Location": "/v1/demands/1",
            "Cache-Control": "private",
            "Set-Cookie": "a=b",
            "X-Internal": "10.0.0.1",
            "Content-Type": "application/vnd.ketnoi+json",
        }
        return web.Response(status=207, body=raw, headers=headers)

    house.demand.routes[DEMAND] = answer
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        response = await house.client.request(method, DEMAND)
        assert response.status_code == 207
        assert response.content == raw
        assert response.headers["etag"] == '"7"'
        assert response.headers["location"] == "/v1/demands/1"
        assert response.headers["cache-control"] == "private"
        assert response.headers["content-type"] == "application/vnd.ketnoi+json"
        assert response.headers["content-length"] == str(len(raw))
        assert response.headers["x-request-id"]
        assert "set-cookie" not in response.headers
        assert "x-internal" not in response.headers


async def test_a_head_request_has_the_length_and_no_body(house) -> None:
    house.supply.answers("/v1/supplies", {"items": []})
    response = await house.client.head("/v1/supplies")
    assert response.status_code == 200
    assert response.headers["content-length"] == str(len(b'{"items": []}'))
    assert house.supply.seen[0][0].method == "HEAD"


async def test_no_content_has_neither_body_nor_length(house) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204)

    house.demand.routes[DEMAND] = answer
    response = await house.client.delete(DEMAND)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers


async def test_not_modified_has_no_body(house) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["If-None-Match"] == '"7"'
        return web.Response(status=304, headers={"ETag": '"7"'})

    house.demand.routes[DEMAND] = answer
    response = await house.client.get(DEMAND, headers={"If-None-Match": '"7"'})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == '"7"'


async def test_a_problem_of_the_service_is_untouched(house) -> None:
    house.matching.refuses("/v1/matches/1", 409, "transition_not_allowed")
    response = await house.client.post("/v1/matches/1/transitions", json={})
    assert response.status_code == 404
    response = await house.client.post("/v1/matches/1", json={})
    assert response.status_code == 409
    assert response.headers["content-type"].startswith("application/problem+json")
    assert response.json()["code"] == "transition_not_allowed"


async def test_a_redirect_stays_on_the_public_address(house) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"{house.demand.url}/v1/demands"})

    house.demand.routes["/v1/demands/"] = answer
    response = await house.client.get("/v1/demands/")
    assert (response.status_code, response.headers["location"]) == (307, "/v1/demands")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_answer_is_streamed_whole(house, declared: bool) -> None:
    block = bytes(range(256)) * 1024
    count = 12  # 3 MiB

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if declared:
            response.content_length = len(block) * count
        await response.prepare(request)
        for _ in range(count):
            await response.write(block)
        return response

    house.reporting.routes["/v1/reporting/national/2026"] = answer
    response = await house.client.get("/v1/reporting/national/2026")
    assert response.content == block * count
    assert ("content-length" in response.headers) == declared


async def test_a_service_that_dies_mid_answer_is_seen_as_a_broken_answer(house) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 4 * 1024 * 1024
        await response.prepare(request)
        await response.write(bytes(2 * 1024 * 1024))
        assert request.transport is not None
        request.transport.abort()
        return response

    house.demand.routes[DEMAND] = answer
    async with (
        aiohttp.ClientSession() as session,
        session.get(URL(house.url).join(URL(DEMAND))) as got,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await got.read()


OWNERS = {
    "/v1/demands": "demand",
    "/v1/campaigns/1": "demand",
    "/v1/search-orders": "demand",
    "/v1/demands/by-ref/a/matches": "demand",
    "/v1/organizations": "supply",
    "/v1/programs/1/x": "supply",
    "/v1/match-preview": "matching",
    "/v1/gaps": "matching",
    "/v1/interests/1/transitions": "matching",
    "/v1/reporting/dashboard": "reporting",
}


async def test_each_path_goes_to_its_owner(house) -> None:
    for path, part in OWNERS.items():
        await house.client.get(path)
        assert getattr(house, part).paths[-1] == path
    assert sum(len(foreign.seen) for foreign in house.services) == len(OWNERS)


async def test_an_unknown_path_is_a_problem(house) -> None:
    for path in ("/v1/nothing", "/v1", "/v2/demands", "/v1/demandsx", "/nothing"):
        response = await house.client.get(path)
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


async def test_requests_share_connections(house) -> None:
    house.demand.answers("*", {})
    for _ in range(5):
        await house.client.get(DEMAND)
    ports = {
        request.transport and request.transport.get_extra_info("peername")
        for request, _ in house.demand.seen
    }
    assert len(ports) == 1


async def test_a_body_over_the_limit_never_reaches_the_service(house) -> None:
    response = await house.client.post("/v1/demands", content=bytes(600 * 1024))
    assert response.status_code == 413
    assert house.demand.seen == []


async def test_many_requests_at_once_keep_their_own_answers(house) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=request.path)

    house.demand.routes["*"] = answer
    paths = [f"/v1/demands/{number}" for number in range(100)]
    responses = await asyncio.gather(*(house.client.get(path) for path in paths))
    assert [response.text for response in responses] == paths


async def test_previews_and_gaps_go_to_matching(house) -> None:
    """A refusal that asks to come again keeps its code and its Retry-After."""
    house.matching.answers("/v1/gaps", {"total": {}, "groups": []})
    body = '{"text": "lò sấy chè"}'.encode()
    gaps = await house.client.get("/v1/gaps?province=19&group_by=year")
    assert gaps.json() == {"total": {}, "groups": []}
    busy = {"status": 503, "code": "preview_busy"}
    house.matching.answers("/v1/match-preview", busy, 503, **{"Retry-After": "1"})
    answer = await house.client.post(
        "/v1/match-preview", content=body, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()) == (503, busy)
    assert answer.headers["retry-after"] == "1"
    (asked, _), (sent, received) = house.matching.seen
    assert asked.raw_path == "/v1/gaps?province=19&group_by=year"
    assert (sent.method, sent.raw_path, received) == ("POST", "/v1/match-preview", body)
