"""The gateway's health tells of everybody; its readiness only of itself."""


async def test_the_health_of_all_is_gathered_and_the_worst_counts(open_house, database_url) -> None:
    async with open_house(down=("reporting",), database_url=database_url) as house:
        house.demand.answers("/healthz", {"status": "pass", "serviceId": "svc-demand"})
        house.supply.answers("/healthz", {"status": "warn"})
        house.matching.answers("/healthz", {"status": "fail", "checks": {}}, 503)
        response = await house.client.get("/healthz")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/health+json"
        body = response.json()
        assert body["status"] == "fail"
        assert body["checks"]["database"][0]["status"] == "pass"
        assert {name: document["status"] for name, document in body["services"].items()} == {
            "svc-demand": "pass",
            "svc-supply": "warn",
            "svc-matching": "fail",
            "svc-reporting": "fail",
        }
        assert body["services"]["svc-demand"]["serviceId"] == "svc-demand"
        assert body["services"]["svc-demand"]["breaker"] == "closed"
        assert (await house.client.get("/readyz")).status_code == 200
        assert (await house.client.get("/livez")).status_code == 200
        assert "http_requests_total" in (await house.client.get("/metrics")).text


async def test_a_look_at_health_is_not_repeated_for_every_visitor(house) -> None:
    for foreign in house.services:
        foreign.answers("/healthz", {"status": "pass"})
    for _ in range(3):
        await house.client.get("/healthz")
    assert [len(foreign.seen) for foreign in house.services] == [1, 1, 1, 1]


async def test_without_its_database_it_is_not_ready(open_house) -> None:
    async with open_house(database_url="postgresql+asyncpg://x:x@127.0.0.1:1/x") as house:
        assert (await house.client.get("/readyz")).status_code == 503
        assert (await house.client.get("/livez")).status_code == 200


async def test_metrics_count_by_template_not_by_id(house) -> None:
    await house.client.get("/v1/demands/some-id-of-the-metrics-test/transitions")
    metrics = (await house.client.get("/metrics")).text
    assert 'route="/v1/demands/{id}/*"' in metrics
    assert "some-id-of-the-metrics-test" not in metrics
