"""Who sees which numbers."""

from typing import Any

import pytest

from shared.contracts.base import Visibility
from shared.contracts.identity import ROLE_SCOPES, Caller, Role
from svc_reporting.domain.policy import pipeline_of, sight_of

PUBLIC, PARTNERS = {"PUBLIC"}, {"PUBLIC", "PARTNERS"}
EVERYTHING = {"PUBLIC", "PARTNERS", "PRIVATE"}


@pytest.mark.parametrize(
    ("role", "visibilities"),
    [
        ("anonymous", PUBLIC),
        ("reader", PUBLIC),
        ("enterprise", PUBLIC),
        ("provider", PUBLIC),
        ("exchange", PUBLIC),
        ("intermediary", PUBLIC),
        ("office", PARTNERS),
        ("dost", PARTNERS),
        ("operator", EVERYTHING),
        ("reporter", EVERYTHING),
        ("ops", EVERYTHING),
    ],
)
async def test_published_things_count_by_who_may_see_them(
    world: Any, ask: Any, role: str, visibilities: set[str]
) -> None:
    for visibility in EVERYTHING:
        demand = world.demand(visibility=visibility, province="01")
        supply = world.supply(visibility=visibility)
        await world.tell(
            demand,
            supply,
            world.demand("SUBMITTED", visibility=visibility, province="01"),
            world.supply("SUBMITTED", visibility=visibility),
            world.ranking(demand, [supply]),
            world.diagnosis(demand, "NO_RESOURCES"),
        )
    found = await ask(role, **({"province": "19"} if role == "dost" else {}))
    seen = len(visibilities)
    assert set(found["visibilities"]) == visibilities
    assert found["funnel"]["demands_published"] == found["funnel"]["supplies_published"] == seen
    assert found["funnel"]["matches"] == found["coverage"]["published"] == seen
    assert found["diagnoses"]["by_code"] == [{"diagnosis": "NO_RESOURCES", "count": seen}]
    everywhere = visibilities == EVERYTHING
    assert found["funnel"]["demands_received"] == (6 if everywhere else None)
    assert (found["pipeline"] is not None) == (everywhere or role == "dost")
    statuses = {entry["status"] for entry in found["demands"]["by_status"]}
    assert statuses == {"PUBLISHED"}


async def test_a_dost_sees_the_pipeline_of_its_own_province_only(world: Any, ask: Any) -> None:
    await world.tell(
        world.demand("SUBMITTED", province="19"),
        world.demand("VERIFIED", province="06", visibility="PRIVATE"),
        world.demand("PUBLISHED", province="06", visibility="PRIVATE"),
        world.demand("PUBLISHED", province="01", visibility="PRIVATE"),
        world.demand("PUBLISHED", province="01"),
        world.demand("SUBMITTED", province="01"),
        world.demand("SUBMITTED"),
    )
    country = await ask("dost", province="19")
    assert country["funnel"]["demands_received"] is None
    assert country["funnel"]["demands_published"] == 2
    assert country["pipeline"] == {
        "province": {"code": "19", "name": "Thái Nguyên"},
        "received": 3,
        "by_status": [
            {"status": "PUBLISHED", "count": 1},
            {"status": "SUBMITTED", "count": 1},
            {"status": "VERIFIED", "count": 1},
        ],
    }
    own = await ask("dost", province="19", params={"province": "19"})
    assert own["funnel"]["demands_received"] == own["pipeline"]["received"] == 3
    part = await ask("dost", province="06", params={"province": "06"})
    assert part["funnel"]["demands_received"] == 3
    other = await ask("dost", province="19", params={"province": "01"})
    assert (other["pipeline"], other["funnel"]["demands_received"]) == (None, None)
    assert other["funnel"]["demands_published"] == 1


async def test_a_token_that_is_not_good_is_not_anonymous(
    client: Any, authorization: Any, world: Any
) -> None:
    answer = await client.get(
        "/v1/reporting/dashboard", headers=authorization("operator", seconds=-60)
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


@pytest.mark.parametrize("role", list(Role))
def test_without_the_scope_a_caller_sees_what_anyone_sees(role: Role) -> None:
    caller = Caller(role=role, province="19", scopes=frozenset({"matches:read"}))
    sight = sight_of(caller)
    assert sight.visibilities == {Visibility.PUBLIC}
    assert pipeline_of(sight, None) is None


def test_a_dost_without_a_province_has_no_pipeline() -> None:
    caller = Caller(role=Role.DOST, scopes=ROLE_SCOPES[Role.DOST])
    assert pipeline_of(sight_of(caller), None) is None
