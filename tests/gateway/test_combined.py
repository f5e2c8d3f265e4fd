"""Answers that need more than one service, with all of them up and with some of them down."""

from typing import Any

import pytest
from aiohttp import web

ID = "0191e2a4-0000-7000-8000-000000000001"
DEMAND = f"/v1/demands/{ID}"
SUPPLY = f"/v1/supplies/{ID}"
JOB = f"/v1/imports/{ID}"
MATCHES = {
    "items": [{"rank": 1, "score": 0.123456}, {"rank": 2}],
    "pending": False,
    "next_cursor": None,
}
DIAGNOSIS = {
    "demand_id": ID,
    "diagnosis": "MATCHED",
    "pending": False,
    "demand_version": 3,
    "near_misses": [{"supply_id": ID}],
    "remedies": [],
    "text": {"vi": "Đã khớp", "en": "Matched"},
}
PENDING = {"items": [], "pending": True, "next_cursor": None}


def everything(house) -> None:
    house.demand.answers(DEMAND, {"id": ID, "title": "Sấy chè"})
    house.demand.answers(f"{DEMAND}/transitions", {"items": []})
    house.matching.answers(f"{DEMAND}/matches", MATCHES)
    house.matching.answers(f"{DEMAND}/diagnosis", DIAGNOSIS)


async def test_matches_are_the_service_s_own_answer(house) -> None:
    house.matching.answers(f"{DEMAND}/matches", MATCHES, ETag='"9"')
    headers = {"Authorization": "Bearer x", "If-None-Match": '"8"'}
    response = await house.client.get(f"{DEMAND}/matches?limit=2&cursor=a%26b", headers=headers)
    assert response.json() == MATCHES
    assert response.headers["etag"] == '"9"'
    request, _ = house.matching.seen[0]
    assert request.raw_path == f"{DEMAND}/matches?limit=2&cursor=a%26b"
    assert request.headers["Authorization"] == "Bearer x"
    assert request.headers["If-None-Match"] == '"8"'
    assert house.demand.seen == []


async def test_matches_of_a_supply_likewise(house) -> None:
    house.matching.answers(f"{SUPPLY}/matches", MATCHES)
    assert (await house.client.get(f"{SUPPLY}/matches")).json() == MATCHES


async def test_an_unreadable_part_counts_as_missing(house) -> None:
    async def garbage(_: web.Request) -> web.Response:
        return web.Response(text="<html>")

    everything(house)
    house.matching.routes[f"{DEMAND}/matches"] = garbage
    body = (await house.client.get(f"{DEMAND}/overview")).json()
    assert (body["matches"], body["missing"]) == (None, ["matching"])


async def test_what_matching_has_not_met_is_pending_for_those_who_may_read_it(house) -> None:
    for resource, path, foreign in (
        ("demand", DEMAND, house.demand),
        ("supply", SUPPLY, house.supply),
    ):
        house.matching.refuses(f"{path}/matches", 404, f"{resource}_unknown")
        foreign.answers(f"{path}/transitions", {"items": []})
        response = await house.client.get(
            f"{path}/matches", headers={"Authorization": "Bearer mine"}
        )
        assert (response.status_code, response.json()) == (200, PENDING)
        assert foreign.seen[0][0].headers["Authorization"] == "Bearer mine"


async def test_a_diagnosis_is_pending_likewise(house) -> None:
    house.matching.refuses(f"{DEMAND}/diagnosis", 404, "demand_unknown")
    house.demand.answers(f"{DEMAND}/transitions", {"items": []})
    response = await house.client.get(f"{DEMAND}/diagnosis")
    assert response.json() == {
        "demand_id": ID,
        "diagnosis": None,
        "pending": True,
        "demand_version": None,
        "near_misses": [],
        "remedies": [],
        "text": None,
    }


async def test_unknown_and_forbidden_look_the_same(house) -> None:
    house.matching.refuses(f"{DEMAND}/matches", 404, "demand_unknown")
    house.matching.refuses(f"{SUPPLY}/matches", 404, "supply_unknown")
    for path in (f"{DEMAND}/matches", f"{SUPPLY}/matches"):
        response = await house.client.get(path)
        assert response.status_code == 404
        assert response.json()["code"] == "not_found"
    house.demand.refuses(f"{DEMAND}/transitions", 401, "token_required")
    assert (await house.client.get(f"{DEMAND}/matches")).status_code == 401
    response = await house.client.get("/v1/demands/not-an-id/matches")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_matches_are_unavailable_when_either_needed_part_is_down(open_house) -> None:
    async with open_house(down=("matching",)) as house:
        response = await house.client.get(f"{DEMAND}/matches")
        assert (response.status_code, response.json()["part"]) == (503, "matching")
    async with open_house(down=("demand",)) as house:
        house.matching.refuses(f"{DEMAND}/matches", 404, "demand_unknown")
        response = await house.client.get(f"{DEMAND}/matches")
        assert (response.status_code, response.json()["part"]) == (503, "demand")


async def test_an_overview_has_everything_in_one_answer(house) -> None:
    everything(house)
    response = await house.client.get(f"{DEMAND}/overview", headers={"If-None-Match": '"1"'})
    assert response.status_code == 200
    assert response.json() == {
        "demand": {"id": ID, "title": "Sấy chè"},
        "matches": {"items": MATCHES["items"], "pending": False},
        "diagnosis": DIAGNOSIS,
        "counts": {"matches": 2, "near_misses": 1, "remedies": 0},
        "partial": False,
        "missing": [],
        "withheld": [],
    }
    assert "Sấy chè" in response.text
    assert "If-None-Match" not in house.demand.seen[0][0].headers


async def test_an_overview_without_matching_is_partial_and_shows_no_empty_list(open_house) -> None:
    async with open_house(down=("matching",)) as house:
        everything(house)
        body = (await house.client.get(f"{DEMAND}/overview")).json()
        assert body["demand"]["id"] == ID
        assert (body["matches"], body["diagnosis"], body["counts"]) == (None, None, None)
        assert (body["partial"], body["missing"], body["withheld"]) == (True, ["matching"], [])


async def test_an_overview_with_a_crashing_part_is_partial(house) -> None:
    everything(house)
    house.matching.refuses(f"{DEMAND}/diagnosis", 500, "internal_error")
    body = (await house.client.get(f"{DEMAND}/overview")).json()
    assert body["matches"]["items"] == MATCHES["items"]
    assert body["diagnosis"] is None
    assert body["counts"] == {"matches": 2, "near_misses": None, "remedies": None}
    assert (body["partial"], body["missing"]) == (True, ["matching"])


async def test_an_overview_waits_for_a_slow_part_only_so_long(open_house) -> None:
    async def never(request: web.Request) -> web.Response:
        await request.loop.create_future()
        return web.Response()

    async with open_house(part_seconds=0.3) as house:
        everything(house)
        house.matching.routes[f"{DEMAND}/matches"] = never
        body = (await house.client.get(f"{DEMAND}/overview")).json()
        assert body["diagnosis"] == DIAGNOSIS
        assert (body["matches"], body["missing"]) == (None, ["matching"])


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_overview_says_what_it_withholds(house, status: int) -> None:
    everything(house)
    for tail in ("matches", "diagnosis"):
        house.matching.refuses(f"{DEMAND}/{tail}", status, "not_found")
    body = (await house.client.get(f"{DEMAND}/overview")).json()
    assert (body["partial"], body["missing"]) == (False, [])
    assert body["withheld"] == ["matches", "diagnosis"]
    assert body["matches"] is body["diagnosis"] is body["counts"] is None


async def test_an_overview_of_a_fresh_demand_is_pending(house) -> None:
    everything(house)
    for tail in ("matches", "diagnosis"):
        house.matching.refuses(f"{DEMAND}/{tail}", 404, "demand_unknown")
    body = (await house.client.get(f"{DEMAND}/overview")).json()
    assert body["matches"] == {"items": [], "pending": True}
    assert body["diagnosis"]["pending"] is True
    house.demand.refuses(f"{DEMAND}/transitions", 404, "not_found")
    body = (await house.client.get(f"{DEMAND}/overview")).json()
    assert body["withheld"] == ["matches", "diagnosis"]


async def test_no_overview_without_the_demand(open_house) -> None:
    async with open_house(down=("demand",)) as house:
        everything(house)
        response = await house.client.get(f"{DEMAND}/overview")
        assert (response.status_code, response.json()["part"]) == (503, "demand")
        assert response.headers["retry-after"]
    async with open_house() as house:
        everything(house)
        house.demand.refuses(DEMAND, 404, "not_found")
        response = await house.client.get(f"{DEMAND}/overview")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_a_file_goes_to_the_owner_of_its_kind_as_it_came(house) -> None:
    job: dict[str, Any] = {"id": ID, "state": "QUEUED"}
    rows = b'{"title": "a"}\n' * 100_000
    for kind, foreign in (("DEMANDS", house.demand), ("SUPPLIES", house.supply)):
        foreign.answers("/v1/imports", job, 202, Location=JOB)
        request = house.client.build_request(
            "POST",
            "/v1/imports",
            data={"kind": kind},
            files={"file": ("nhu cầu.jsonl", rows, "application/jsonl")},
            headers={"Idempotency-Key": "k"},
        )
        sent = await request.aread()
        response = await house.client.send(request)
        assert (response.status_code, response.json()) == (202, job)
        assert response.headers["location"] == JOB
        got, body = foreign.seen[0]
        assert body == sent
        assert got.headers["Content-Type"] == request.headers["Content-Type"]
        assert got.headers["Idempotency-Key"] == "k"
    assert len(house.demand.seen) == len(house.supply.seen) == 1


async def test_a_file_of_an_unknown_kind_is_refused_with_the_kinds_there_are(house) -> None:
    file = {"file": ("a.jsonl", b"{}", "application/jsonl")}
    for data in ({"kind": "NOTHING"}, {}):
        response = await house.client.post("/v1/imports", data=data, files=file)
        assert response.status_code == 422
        body = response.json()
        assert body["code"] == "unknown_import_kind"
        assert body["errors"][0]["pointer"] == "/kind"
        assert body["kinds"] == ["DEMANDS", "SUPPLIES"]
    response = await house.client.post("/v1/imports", json={"kind": "DEMANDS"})
    assert (response.status_code, response.json()["code"]) == (400, "multipart_needed")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await house.client.post("/v1/imports", content=b"--y\r\nno", headers=broken)
    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_an_import_is_found_wherever_it_is(open_house) -> None:
    async with open_house() as house:
        house.supply.answers(JOB, {"id": ID, "state": "DONE"})
        house.supply.answers(f"{JOB}/errors", {"items": [], "next_cursor": None})
        assert (await house.client.get(JOB)).json()["state"] == "DONE"
        response = await house.client.get(f"{JOB}/errors?limit=5")
        assert response.json()["items"] == []
        assert house.supply.seen[-1][0].query_string == "limit=5"
        del house.supply.routes[JOB]
        assert (await house.client.get(JOB)).status_code == 404
    async with open_house(down=("demand",)) as house:
        house.supply.answers(JOB, {"id": ID, "state": "DONE"})
        assert (await house.client.get(JOB)).status_code == 200
        del house.supply.routes[JOB]
        response = await house.client.get(JOB)
        assert (response.status_code, response.json()["part"]) == (503, "demand")
